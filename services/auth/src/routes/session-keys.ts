import { authContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import { publicAccount } from '../domain/model.ts';
import type { SessionKeys } from '../domain/session-keys.ts';
import { contextOf, logAccount } from './guards.ts';

/** No principal on either: one comes from here. */
export default function routes(app: App, { sessionKeys }: { sessionKeys: SessionKeys }): void {
  serve(app, authContract, 'createSessionKey', async ({ body }, request, reply) => {
    const { account, ...session } = await sessionKeys.begin(body, contextOf(request));
    logAccount(request, account.id);
    reply.code(session.reused ? 200 : 201);
    return { ...session, account: publicAccount(account) };
  });

  serve(app, authContract, 'verifySessionKey', async ({ body }, request) => {
    return await sessionKeys.verify(body, contextOf(request));
  });
}
