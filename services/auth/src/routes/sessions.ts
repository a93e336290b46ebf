import { authContract, type Session, type SessionInfo } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import type { SessionRecord } from '../domain/model.ts';
import type { OpenSession, Sessions } from '../domain/sessions.ts';
import { contextOf, logAccount, requireSelf, requireWritingSelf } from './guards.ts';

function publicSession({ id, createdAt, lastUsedAt, expiresAt, address, userAgent }: SessionRecord): SessionInfo {
  return {
    id,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt.toISOString(),
    expiresAt: expiresAt.toISOString(),
    address,
    userAgent,
  };
}

/** Whoever logs in has no principal yet; the access line names the account all the same. */
function logged(request: FastifyRequest, { accountId, session }: OpenSession): Session {
  logAccount(request, accountId);
  return session;
}

export default function routes(app: App, { sessions }: { sessions: Sessions }): void {
  serve(app, authContract, 'createSession', async ({ body }, request, reply) => {
    reply.code(201);
    return logged(request, await sessions.begin(body, contextOf(request)));
  });

  serve(app, authContract, 'refreshSession', async ({ body }, request) => {
    return logged(request, await sessions.refresh(body, contextOf(request)));
  });

  serve(app, authContract, 'renewAccess', async ({ body }, request) => {
    const { accountId, access } = await sessions.renewAccess(body, contextOf(request));
    logAccount(request, accountId);
    return access;
  });

  serve(app, authContract, 'listSessions', async ({ params: { accountId } }, request) => {
    requireSelf(request, accountId);
    return { items: (await sessions.list(accountId)).map(publicSession) };
  });

  serve(app, authContract, 'endSession', async ({ params: { accountId, sessionId } }, request): Promise<undefined> => {
    requireWritingSelf(request, accountId);
    await sessions.endOne(accountId, sessionId, contextOf(request));
  });

  serve(
    app,
    authContract,
    'endOtherSessions',
    async ({ params: { accountId }, query: { except } }, request): Promise<undefined> => {
      requireWritingSelf(request, accountId);
      await sessions.endOthers(accountId, except, contextOf(request));
    },
  );
}
