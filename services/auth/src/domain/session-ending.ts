import type { EventEnvelope } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { RequestContext } from './model.ts';
import type { Events, SessionStore } from './ports.ts';

const endBatch = 500;

/** Ending sessions, each with the event that makes gateways stop honouring it. */
export function createSessionEnding({ sessions, events }: { sessions: SessionStore; events: Events }) {
  function revokedEvent(sessionId: string, at: Date, o: RequestContext): EventEnvelope {
    const items = [{ kind: 'session' as const, id: sessionId, at: at.toISOString() }];
    return events.makeEvent('revoked', { items }, o.traceparent);
  }

  /** False if the session was not living. */
  async function end(sessionId: string, accountId: string | undefined, o: RequestContext): Promise<boolean> {
    const at = new Date();
    const revoked = [revokedEvent(sessionId, at, o)];
    const ended = await sessions.end(sessionId, { ...(accountId && { accountId }), at, events: revoked });
    if (ended) events.announce(sessionId, revoked);
    return ended;
  }

  /** 404 `not_found` where the account has no such living session. */
  async function endOne(accountId: string, sessionId: string, o: RequestContext = {}): Promise<void> {
    if (!(await end(sessionId, accountId, o))) throw appError('not_found', 'There is no such session');
  }

  /** All sessions of the account but one. */
  async function endOthers(accountId: string, except: string | undefined, o: RequestContext = {}): Promise<void> {
    for (;;) {
      const at = new Date();
      const ids = await sessions.livingIds(accountId, { except, now: at, limit: endBatch });
      const entries = ids.map((sessionId) => ({ sessionId, events: [revokedEvent(sessionId, at, o)] }));
      if (entries.length > 0) await sessions.endEach(entries, at);
      for (const entry of entries) events.announce(entry.sessionId, entry.events);
      if (ids.length < endBatch) return;
    }
  }

  return { end, endOne, endOthers };
}
