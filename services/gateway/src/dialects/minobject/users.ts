import { isAppError } from '@coffer/service-kit';
import type { App, Gateway } from '../../gateway.ts';
import { limitNewAccounts } from '../../rate-limits.ts';
import { fieldsOf } from '../common/fields.ts';
import { nameOrPasswordMissing, orElse, sendJson, userExists, wrongPassword } from './errors.ts';

const TOKEN_SECONDS = 3600;
/** What the auth service takes; no account has a longer name or password. */
const MAX_LOGIN = 254;
const MAX_PASSWORD = 1024;

export function userRoutes(app: App, gateway: Gateway): void {
  const { auth, config } = gateway;

  for (const url of ['/users/register', '/users/register/']) {
    const onRequest = limitNewAccounts(app, config);
    app.post(url, { config: { op: 'minobject.register' }, onRequest }, async (request, reply) => {
      const { username = '', password = '' } = await fieldsOf(gateway, request);
      if (username === '' || password === '') throw nameOrPasswordMissing();
      const body = { username, email: null, password, anyPassword: true, address: request.ip };
      try {
        await auth.call('createAccount', { body }, request.call);
      } catch (error) {
        if (isAppError(error, 'username_taken') || isAppError(error, 'email_taken')) throw userExists();
        throw error;
      }
      return sendJson(reply.code(201), { message: 'User created' });
    });
  }

  for (const url of ['/users/login', '/users/login/']) {
    app.post(url, { config: { op: 'minobject.login' } }, async (request, reply) => {
      const { username: login = '', password = '' } = await fieldsOf(gateway, request);
      if (login === '' || password === '' || login.length > MAX_LOGIN || password.length > MAX_PASSWORD)
        throw wrongPassword();
      const userAgent = (request.headers['user-agent'] ?? '').slice(0, 512);
      const body = { login, password, accessTokenSeconds: TOKEN_SECONDS, address: request.ip, userAgent };
      const asking = auth.call('createSession', { body }, request.call);
      const { accessToken } = await orElse(asking, 'invalid_credentials', wrongPassword);
      return sendJson(reply, { jwt_token: accessToken });
    });
  }
}
