import type { Account, Profile } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import type { Gateway } from '../../gateway.ts';
import { publicUrl } from '../common/dialect.ts';

/** What registration asks for besides e-mail and password; kept as facts of the account, under the same names. */
export const PROFILE_FIELDS = [
  'first_name',
  'last_name',
  'middle_name',
  'country',
  'phone',
  'date_of_birth',
  'security_quest',
  'security_ans',
  'recovery_mail',
  'recovery_no',
] as const;

/** The account as registration answers it; what was not given is null. */
export function registrationOf(gateway: Gateway, request: FastifyRequest, { id, email }: Account, profile: Profile) {
  const { first_name = null, last_name = null, middle_name = null, phone = null, date_of_birth = null } = profile;
  const picture = profile.profile_pict;
  const profile_pict =
    picture === undefined ? null : `${publicUrl(gateway, request)}/api/v1/store/files/${picture}/view/`;
  return { id, first_name, last_name, middle_name, email, phone, profile_pict, date_of_birth };
}

/** The same with what only its holder is told. */
export function profileOf(gateway: Gateway, request: FastifyRequest, account: Account, profile: Profile) {
  const {
    security_quest = null,
    security_ans = null,
    recovery_mail = null,
    recovery_no = null,
    country = null,
  } = profile;
  const shown = registrationOf(gateway, request, account, profile);
  return { ...shown, security_quest, security_ans, recovery_mail, recovery_no, country };
}

/** The name of the caller's root folder: the tree's root itself has none. */
export async function rootName({ auth }: Gateway, request: FastifyRequest): Promise<string> {
  const params = { accountId: request.principal().accountId };
  const { first_name } = await auth.call('getProfile', { params }, request.call);
  if (first_name !== undefined) return `${first_name} root`;
  // Made through another door.
  const { username } = await auth.call('getAccount', { params }, request.call);
  return `${username} root`;
}
