import { randomBytes } from 'node:crypto';
import type { Account, Profile } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { limitNewAccounts } from '../../rate-limits.ts';
import { commitFile, type ReceivedFile, receiveForm } from '../common/upload.ts';
import { missingField } from './errors.ts';
import { PROFILE_FIELDS, registrationOf } from './profile.ts';
import { sendJson, urlsOf } from './routes.ts';

const PICTURE_MAX_BYTES = 10 * 1024 * 1024;
const PICTURE_FOLDER = 'Profile';
const NAME_ATTEMPTS = 8;
const NAME_LENGTH = 48;

const REQUIRED = {
  first_name: 'first name of the user is required',
  last_name: 'last name of the user is required',
  email: 'email of the user is required',
  password: 'password is required',
} as const;

export function registerRoute(app: App, gateway: Gateway): void {
  for (const url of urlsOf('auth/register')) {
    app.route({
      method: 'POST',
      url,
      config: { op: 'cloudbox.register' },
      onRequest: limitNewAccounts(app, gateway.config),
      handler: async (request, reply) => {
        const { fields, file } = await receiveForm(gateway, request, {
          filePart: 'profile_pict',
          maxBytes: () => Math.min(PICTURE_MAX_BYTES, gateway.config.DIALECT_UPLOAD_MAX_BYTES),
        });
        for (const [name, text] of Object.entries(REQUIRED)) {
          if ((fields[name] ?? '').trim() === '') throw missingField(text);
        }
        const profile: Profile = {};
        for (const name of PROFILE_FIELDS) {
          const value = fields[name]?.trim();
          if (value !== undefined && value !== '') profile[name] = value;
        }
        const { email = '', password = '' } = fields;
        const account = await createAccount(gateway, request, { email: email.trim(), password, profile });
        const picture = file === undefined ? undefined : await keepPicture(gateway, request, account, file);
        const shown = picture === undefined ? profile : { ...profile, profile_pict: picture };
        return sendJson(reply.code(201), registrationOf(gateway, request, account, shown));
      },
    });
  }
}

/** Asks for no user name: it is the beginning of the e-mail address, with something by chance after it where that is taken. */
async function createAccount(
  gateway: Gateway,
  request: FastifyRequest,
  { email, password, profile }: { email: string; password: string; profile: Profile },
): Promise<Account> {
  const stem = usernameFrom(email);
  const { signal: _, ...call } = request.call;
  for (let attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
    const username = attempt === 0 ? stem : `${stem}-${randomBytes(4).toString('hex')}`;
    const body = { username, email, password, profile, anyPassword: true, address: request.ip };
    try {
      return await gateway.auth.call('createAccount', { body }, call);
    } catch (error) {
      if (!isAppError(error, 'username_taken')) throw error;
    }
  }
  throw appError('busy');
}

function usernameFrom(email: string): string {
  const local = email.slice(0, Math.max(email.lastIndexOf('@'), 0));
  const plain = local.toWellFormed().replace(/[^\p{L}\p{N}._+-]/gu, '');
  // No half of a character at the end.
  return [...plain].slice(0, NAME_LENGTH).join('') || 'user';
}

/**
 * Makes the picture a file of the new account. The account is there by now, so that a failure must not look as if it were not: it stays
 * without a picture then.
 */
async function keepPicture(
  gateway: Gateway,
  request: FastifyRequest,
  { id: accountId }: Account,
  file: ReceivedFile,
): Promise<string | undefined> {
  // What a form sends for a field of type file that was left empty.
  if (file.sizeBytes === 0) return undefined;
  request.setPrincipal({ accountId, role: 'user', readOnly: false });
  const name = file.fileName === '' ? 'picture' : file.fileName;
  const target = { parent: { path: [PICTURE_FOLDER] }, name, makeFolders: true, ifExists: 'rename' as const };
  const { signal: _, ...call } = request.call;
  try {
    const { node } = await commitFile(gateway, request, { target, name, file, ...(file.mime && { mime: file.mime }) });
    const body = { profile_pict: node.id };
    await gateway.auth.call('updateProfile', { params: { accountId }, body }, call);
    return node.id;
  } catch (error) {
    request.log.warn({ err: error, accountId }, 'the picture of a new account was not kept');
    return undefined;
  }
}
