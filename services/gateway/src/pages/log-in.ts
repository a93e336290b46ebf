import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import type { App, Gateway } from '../gateway.ts';
import { html, sendPage } from './page.ts';
import { Form, goTo } from './scope.ts';
import { admitForm, logInVisitor, logOutVisitor, type Visitor } from './visitor.ts';

/** Pages of ours, by their paths: the form leads to no other place. */
const NEXT = '^/(?:pay|payments/[0-9a-f-]{36})$';
const LogIn = Form({
  login: Type.String({ minLength: 1, maxLength: 254 }),
  password: Type.String({ minLength: 1, maxLength: 1024 }),
  next: Type.String({ pattern: NEXT }),
});
const FAILURES = ['invalid_credentials', 'account_suspended', 'rate_limited'] as const;

export function logInRoutes(app: App, gateway: Gateway): void {
  app.post(
    '/log-in',
    { config: { op: 'pages.logIn' }, schema: { hide: true, body: LogIn } },
    async (request, reply) => {
      const { token, login, password, next } = request.body;
      const visitor = await admitForm(gateway, request, token);
      try {
        await logInVisitor(gateway, request, reply, { login: login.trim(), password });
      } catch (error) {
        if (!isAppError(error) || !FAILURES.some((code) => code === error.code)) throw error;
        const { status, code, title, detail, headers = {} } = error;
        const failure = code === 'invalid_credentials' ? 'Wrong name or password' : detail || title;
        const { isSandbox } = await gateway.payment.call('listPlans', {}, request.call);
        return sendLogIn(reply.headers(headers), visitor, { next, login, failure, status, isSandbox });
      }
      return goTo(request, reply, next);
    },
  );

  app.post(
    '/log-out',
    { config: { op: 'pages.logOut' }, schema: { hide: true, body: Form({}) } },
    async (request, reply) => {
      await logOutVisitor(gateway, request, reply, await admitForm(gateway, request, request.body.token));
      return goTo(request, reply, '/pay');
    },
  );
}

/** The form that stands in the place of a page that is for those who are known. */
export function sendLogIn(
  reply: FastifyReply,
  { formToken }: Visitor,
  o: { next: string; login?: string; failure?: string; status?: number; isSandbox?: boolean },
): FastifyReply {
  return sendPage(reply, {
    title: 'Log in',
    status: o.status ?? 200,
    isSandbox: o.isSandbox ?? false,
    body: html`<p>Log in to see your plan and your payments.</p>
${o.failure === undefined ? undefined : html`<p class="note error" role="alert">${o.failure}</p>`}
<form method="post" action="/log-in">
<input type="hidden" name="token" value="${formToken}">
<input type="hidden" name="next" value="${o.next}">
<label for="login">User name or e-mail</label>
<input id="login" name="login" value="${o.login}" autocomplete="username" maxlength="254" required>
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="current-password" maxlength="1024" required>
<button class="main">Log in</button>
</form>`,
  });
}

export const logOutForm = ({ formToken }: Visitor) => html`<form method="post" action="/log-out">
<input type="hidden" name="token" value="${formToken}"><button class="plain">Log out</button>
</form>`;

/** The account of a visitor who was let in to send a form. */
export function accountIdOf({ principal }: Visitor): string {
  if (principal === undefined) throw appError('unauthorized', 'You are not logged in any more');
  return principal.accountId;
}
