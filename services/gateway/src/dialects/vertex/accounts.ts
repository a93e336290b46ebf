import { isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { limitNewAccounts } from '../../rate-limits.ts';
import { fieldsOf } from '../common/fields.ts';
import { Refusal, sendJson } from './errors.ts';
import { both } from './routes.ts';
import { enter, lastingCall } from './session.ts';

const SESSION_NAME = 'current_user';

export function signUpRoute(app: App, gateway: Gateway): void {
  const onRequest = limitNewAccounts(app, gateway.config);
  both(app, '/signup', { method: 'POST', config: { op: 'vertex.signUp' }, onRequest }, async (request, reply) => {
    const { username = '', email = '', password = '' } = await fieldsOf(gateway, request);
    if (username === '' || email === '' || password === '') throw new Refusal('User details is invalid');
    const body = { username, email, password, anyPassword: true, address: request.ip };
    try {
      await gateway.auth.call('createAccount', { body }, request.call);
    } catch (error) {
      throw signUpRefused(error);
    }
    const { key, account } = await newKey(gateway, request, username, password);
    return sendJson(reply, {
      status: true,
      session: true,
      session_name: SESSION_NAME,
      message: `New User ${account.username} has been created successfully`,
      'your session key': key,
    });
  });
}

function signUpRefused(error: unknown): unknown {
  if (isAppError(error, 'username_taken')) return new Refusal('Username already Exists', {}, error);
  if (isAppError(error, 'email_taken')) return new Refusal('Email Already Exists', {}, error);
  return isAppError(error) && error.status === 400 ? new Refusal('User details is invalid', {}, error) : error;
}

export function logInRoutes(app: App, gateway: Gateway): void {
  both(app, '/login', { method: 'POST', config: { op: 'vertex.logIn' } }, async (request, reply) => {
    const { username = '', password = '' } = await fieldsOf(gateway, request);
    const made = await known(newKey(gateway, request, username, password));
    if (made === undefined) {
      const message = 'A severe Error Occured. Could not log you in. Try again';
      throw new Refusal(message, { current_user_status: false });
    }
    return sendJson(reply, {
      status: true,
      session: true,
      session_name: SESSION_NAME,
      logged_in: true,
      user: made.account.username,
      session_key: made.key,
    });
  });

  both(app, '/token', { method: 'POST', config: { op: 'vertex.token' } }, async (request, reply) => {
    const { username = '', password = '' } = await fieldsOf(gateway, request);
    const made = await known(newKey(gateway, request, username, password, true));
    if (made === undefined) throw new Refusal('Invalid username or password!');
    const { key, account, reused } = made;
    if (reused) return sendJson(reply, { status: true, message: 'Your Existing Key is still available', key });
    const details = { user: account.username, key };
    return sendJson(reply, { status: true, message: 'A new key has been created for you', details });
  });
}

/** A key for whoever knows the password; with `reuse` the one that lives, if there is one. */
async function newKey(gateway: Gateway, request: FastifyRequest, login: string, password: string, reuse = false) {
  const userAgent = (request.headers['user-agent'] ?? '').slice(0, 512);
  const body = { login, password, door: 'vertex' as const, reuse, address: request.ip, userAgent };
  return await gateway.auth.call('createSessionKey', { body }, request.call);
}

/** Undefined where login or password are wrong, missing, or longer than any can be, or their holder is shut out. */
async function known<T>(asking: Promise<T>): Promise<T | undefined> {
  try {
    return await asking;
  } catch (error) {
    const codes = ['invalid_credentials', 'account_suspended', 'invalid_body'] as const;
    if (codes.some((code) => isAppError(error, code))) return undefined;
    throw error;
  }
}

export function leavingRoutes(app: App, gateway: Gateway): void {
  const clear = async (request: FastifyRequest, reply: FastifyReply) => {
    const { key } = await fieldsOf(gateway, request);
    const unknown = 'Invalid token Key';
    const { accountId, sessionId } = await enter(gateway, request, key, {
      missing: 'A token is required to access this Endpoint',
      unknown,
      shutOut: unknown,
    });
    if (sessionId === undefined) throw new Refusal(unknown);
    const { username } = await gateway.auth.call('getAccount', { params: { accountId } }, request.call);
    try {
      await gateway.auth.call('endSession', { params: { accountId, sessionId } }, lastingCall(request));
    } catch (error) {
      throw isAppError(error, 'not_found') ? new Refusal(unknown, {}, error) : error;
    }
    const message = `User : ${username} sessions has been Flushed and Now logged out.`;
    return sendJson(reply, { status: true, message });
  };

  const remove = async (request: FastifyRequest, reply: FastifyReply) => {
    const { key, password = '' } = await fieldsOf(gateway, request);
    const invalid = 'User details is invalid';
    const { accountId } = await enter(gateway, request, key, {
      missing: 'You are not authorized to access this route, you must first be logged in',
      unknown: 'Invalid Key Credential',
      shutOut: invalid,
    });
    if (password === '') throw new Refusal(invalid);
    try {
      const body = { password, address: request.ip };
      await gateway.auth.call('deleteAccount', { params: { accountId }, body }, lastingCall(request));
    } catch (error) {
      if (isAppError(error, 'invalid_credentials') || isAppError(error, 'invalid_body'))
        throw new Refusal('Invalid User Credentials', {}, error);
      if (isAppError(error, 'forbidden') || isAppError(error, 'not_found')) throw new Refusal(invalid, {}, error);
      throw error;
    }
    const message = 'User has been Deleted Successfully and all corresponding sessions has been flushed';
    return sendJson(reply, { status: true, message });
  };

  for (const method of ['GET', 'POST']) {
    both(app, '/clear/session', { method, config: { op: 'vertex.clearSession' }, exposeHeadRoute: false }, clear);
    both(app, '/delete/user', { method, config: { op: 'vertex.deleteUser' }, exposeHeadRoute: false }, remove);
  }
}
