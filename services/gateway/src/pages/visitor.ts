import { randomBytes } from 'node:crypto';
import type { Principal } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { publicUrl } from '../dialects/common/dialect.ts';
import type { Gateway } from '../gateway.ts';
import { isSealOf, sealOf } from './seal.ts';

const SESSION_COOKIE = 'coffer_web';
const FORM_COOKIE = 'coffer_form';
const COOKIE = /^[A-Za-z0-9_-]{1,256}$/;

/** A browser, as its cookies make it known. */
export interface Visitor {
  /** Undefined for who is not logged in. */
  readonly principal: Principal | undefined;
  /** Goes into each form as `token`, and is asked for when the form comes back: no other site can know it. */
  readonly formToken: string;
}

/** Who is looking at a page. Gives the browser the cookie that its forms are bound to, where it has none. */
export async function welcomeVisitor(gateway: Gateway, request: FastifyRequest, reply: FastifyReply): Promise<Visitor> {
  const { formKey = newFormKey(gateway, request, reply), session } = cookiesOf(request);
  const principal = session === undefined ? undefined : await principalOf(gateway, session);
  if (principal !== undefined) request.setPrincipal(principal);
  return { principal, formToken: tokenOf(gateway, formKey, principal) };
}

/**
 * Who sent a form. Throws `forbidden` unless the form was shown to this very browser, in this very session: what another site makes the
 * browser send carries no such token.
 */
export async function admitForm(gateway: Gateway, request: FastifyRequest, formToken: string): Promise<Visitor> {
  const { formKey, session } = cookiesOf(request);
  const site = request.headers['sec-fetch-site'];
  if (formKey === undefined || site === 'cross-site') throw strange();
  const principal = session === undefined ? undefined : await principalOf(gateway, session);
  const { internalSecret } = gateway.ctx;
  if (!isSealOf(formToken, internalSecret, 'form', boundTo(formKey, principal))) throw strange();
  if (principal !== undefined) request.setPrincipal(principal);
  return { principal, formToken };
}

/** Begins a session of the pages. Throws what the auth service throws. */
export async function logInVisitor(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { login, password }: { login: string; password: string },
): Promise<void> {
  const userAgent = (request.headers['user-agent'] ?? '').slice(0, 512);
  const body = { login, password, door: 'web' as const, address: request.ip, userAgent };
  const { key } = await gateway.auth.call('createSessionKey', { body }, request.call);
  setCookie(gateway, request, reply, SESSION_COOKIE, key);
}

/** Ends it, here and in the browser. */
export async function logOutVisitor(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  { principal }: Visitor,
): Promise<void> {
  if (principal?.sessionId !== undefined) {
    const params = { accountId: principal.accountId, sessionId: principal.sessionId };
    await gateway.auth.call('endSession', { params }, request.call);
  }
  setCookie(gateway, request, reply, SESSION_COOKIE, '');
}

const strange = () =>
  appError('forbidden', 'This form is not from here, or too old: go back, load the page anew, and try again');

/** A session that ended is none. That an account is suspended, or the auth service away, is for the person to know. */
async function principalOf(gateway: Gateway, session: string): Promise<Principal | undefined> {
  try {
    return await gateway.sessionKeys.verify(session, 'web');
  } catch (error) {
    if (isAppError(error, 'invalid_token') || isAppError(error, 'session_ended')) return undefined;
    throw error;
  }
}

const boundTo = (formKey: string, principal: Principal | undefined): string[] => [formKey, principal?.sessionId ?? ''];

const tokenOf = ({ ctx }: Gateway, formKey: string, principal: Principal | undefined): string =>
  sealOf(ctx.internalSecret, 'form', boundTo(formKey, principal));

function newFormKey(gateway: Gateway, request: FastifyRequest, reply: FastifyReply): string {
  const formKey = randomBytes(24).toString('base64url');
  setCookie(gateway, request, reply, FORM_COOKIE, formKey);
  return formKey;
}

function cookiesOf({ headers: { cookie = '' } }: FastifyRequest): { formKey?: string; session?: string } {
  const found: { formKey?: string; session?: string } = {};
  for (const pair of cookie.split(';')) {
    const [name, value = ''] = pair.trim().split('=', 2);
    if (!COOKIE.test(value)) continue;
    if (name === FORM_COOKIE) found.formKey ??= value;
    if (name === SESSION_COOKIE) found.session ??= value;
  }
  return found;
}

/** For this host alone, out of the reach of scripts and of other sites' forms (RFC 6265). An empty value takes the cookie back. */
function setCookie(gateway: Gateway, request: FastifyRequest, reply: FastifyReply, name: string, value: string): void {
  const attributes = ['Path=/', 'HttpOnly', 'SameSite=Lax'];
  if (publicUrl(gateway, request).startsWith('https:')) attributes.push('Secure');
  if (value === '') attributes.push('Max-Age=0');
  reply.header('set-cookie', [`${name}=${value}`, ...attributes].join('; '));
}
