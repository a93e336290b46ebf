import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import type { App, Gateway } from '../gateway.ts';
import { html, sendPage } from './page.ts';
import { Form } from './scope.ts';
import { admitForm, welcomeVisitor } from './visitor.ts';

const ResetToken = Type.String({ minLength: 1, maxLength: 512 });
const Query = Type.Object({ token: Type.Optional(ResetToken) });
const NewPassword = Form({ reset: ResetToken, password: Type.String({ maxLength: 1024 }) });

/** Where the link of the mail leads. Its token is as good as a password for an hour: the page tells it to no one (see `sendPage`). */
export function resetPasswordRoutes(app: App, gateway: Gateway): void {
  app.get(
    '/reset-password',
    { config: { op: 'pages.resetPassword' }, schema: { hide: true, querystring: Query } },
    async (request, reply) => {
      const { token: reset } = request.query;
      if (reset === undefined) throw appError('invalid_token', LINK_IS_BAD);
      const { formToken } = await welcomeVisitor(gateway, request, reply);
      return sendForm(reply, { formToken, reset });
    },
  );

  app.post(
    '/reset-password',
    { config: { op: 'pages.setPassword' }, schema: { hide: true, body: NewPassword } },
    async (request, reply) => {
      const { token, reset, password } = request.body;
      const { formToken } = await admitForm(gateway, request, token);
      if (password === '')
        return sendForm(reply, { formToken, reset, failure: 'The password is missing', status: 400 });
      const { signal: _, ...call } = request.call;
      try {
        await gateway.auth.call('resetPassword', { body: { token: reset, newPassword: password } }, call);
      } catch (error) {
        if (isAppError(error, 'invalid_token')) throw appError('invalid_token', LINK_IS_BAD);
        if (!isAppError(error, 'weak_password')) throw error;
        return sendForm(reply, { formToken, reset, failure: error.detail, status: error.status });
      }
      return sendPage(reply, {
        title: 'Password changed',
        body: html`<p class="note" role="status">Your new password is set. You are logged out everywhere; log in with the new one.</p>`,
      });
    },
  );
}

const LINK_IS_BAD = 'This link was used already, has expired, or is not complete. Ask for a new one.';

function sendForm(
  reply: FastifyReply,
  { formToken, reset, failure, status = 200 }: { formToken: string; reset: string; failure?: string; status?: number },
): FastifyReply {
  return sendPage(reply, {
    title: 'New password',
    status,
    body: html`${failure === undefined ? undefined : html`<p class="note error" role="alert" id="failure">${failure}</p>`}
<form method="post" action="/reset-password">
<input type="hidden" name="token" value="${formToken}">
<input type="hidden" name="reset" value="${reset}">
<label for="password">New password</label>
<input id="password" name="password" type="password" autocomplete="new-password" maxlength="1024" required>
<button class="main">Set password</button>
</form>
<p>It ends all your sessions, on every device.</p>`,
  });
}
