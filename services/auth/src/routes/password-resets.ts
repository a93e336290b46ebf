import { authContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { publicAccount } from '../domain/model.ts';
import type { PasswordResets } from '../domain/password-resets.ts';
import { contextOf, logAccount } from './guards.ts';

export default function routes(app: App, { passwordResets }: { passwordResets: PasswordResets }): void {
  serve(app, authContract, 'requestPasswordReset', async ({ body }, request): Promise<undefined> => {
    await passwordResets.request(body, contextOf(request));
  });

  serve(app, authContract, 'resetPassword', async ({ body }, request): Promise<undefined> => {
    const { accountId } = await passwordResets.use(body, contextOf(request));
    logAccount(request, accountId);
  });

  // Asked by the service that writes the mail, on behalf of nobody: whoever has the answer can set the password.
  serve(app, authContract, 'getPasswordReset', async ({ params: { resetId } }) => {
    const { account, token, expiresAt } = await passwordResets.get(resetId);
    return { account: publicAccount(account), token, expiresAt: expiresAt.toISOString() };
  });
}
