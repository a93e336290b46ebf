import { isUtf8 } from 'node:buffer';
import { type Link, NOBODY, type NodeRecord } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Gateway } from '../gateway.ts';

/** What a link leads to. */
export interface OpenedLink {
  readonly link: Link;
  readonly node: NodeRecord;
}

const MAX_PASSWORD_LENGTH = 1024;
const CHALLENGE = { 'www-authenticate': 'Basic realm="coffer link", charset="UTF-8"' };

/**
 * Opens the link with this token for the request, which is that of nobody in particular from then on, with the link's rights. Throws
 * `not_found`, `gone`, `link_password_required`, `invalid_credentials` and `rate_limited` as the metadata service does.
 */
export async function openLink(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { token, password }: { token: string; password: string | undefined },
): Promise<OpenedLink> {
  const body = { token, address: request.ip, ...(password !== undefined && { password }) };
  const opened = await ask(gateway, request, body);
  await demandStanding(gateway, request, opened);
  const { id: linkId, nodeId, role } = opened.link;
  request.setPrincipal({ ...NOBODY, readOnly: role !== 'dropbox', link: { linkId, nodeId, role } });
  gateway.linkTransfers.begin(linkId, reply);
  return opened;
}

/** Who made a link, and whose files it shows, must not be suspended: what they may not do, nobody does by their link. */
async function demandStanding(gateway: Gateway, request: FastifyRequest, { link, node }: OpenedLink): Promise<void> {
  const logins = [...new Set([link.createdBy, node.ownerId])];
  const { accounts } = await gateway.auth.call('lookUpAccounts', { body: { logins } }, request.call);
  if (accounts.some((account) => account === null || account.suspended)) {
    throw appError('gone', 'This link does not lead anywhere any more');
  }
}

async function ask(
  { metadata }: Gateway,
  request: FastifyRequest,
  body: { token: string; address: string; password?: string },
): Promise<OpenedLink> {
  try {
    return await metadata.call('openLink', { body }, request.call);
  } catch (error) {
    if (isAppError(error, 'link_password_required') || isAppError(error, 'invalid_credentials'))
      throw appError(error.code, error.detail, { headers: CHALLENGE });
    throw error;
  }
}

/**
 * The password that a program sends with a link: as `X-Link-Password`, in UTF-8, or as Basic (RFC 7617) of the user `link`. Credentials of any
 * other kind are not for links and are passed over. Throws `invalid_header`.
 */
export function linkPassword({ headers }: FastifyRequest): string | undefined {
  const given = headers['x-link-password'];
  const password =
    typeof given === 'string' ? textOf(Buffer.from(given, 'latin1')) : basicPassword(headers.authorization);
  if (password !== undefined && password.length > MAX_PASSWORD_LENGTH)
    throw appError('invalid_header', 'The password is too long');
  return password;
}

function basicPassword(header = ''): string | undefined {
  const value = /^basic +([A-Za-z0-9+/=_-]+) *$/i.exec(header)?.[1];
  if (value === undefined) return undefined;
  const text = textOf(Buffer.from(value, 'base64'));
  return text.startsWith('link:') ? text.slice('link:'.length) : undefined;
}

function textOf(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw appError('invalid_header', 'The password is not UTF-8');
  return bytes.toString();
}
