import { appError, newId } from '@coffer/service-kit';
import { decodeIdCursor, encodeIdCursor } from './cursors.ts';
import type { AuditRecord } from './model.ts';
import type { AuditStore } from './ports.ts';

const maxDetails = 32;
const detailShape = /^[a-zA-Z]{1,64}$/;
const maxTextLength = 1024;

export type Audit = ReturnType<typeof createAudit>;

/**
 * The book of what operators do: an entry is written before the deed and gets its outcome afterwards, so that nothing is done unwritten. Entries
 * are kept for good and never changed.
 */
export function createAudit({ audit }: { audit: AuditStore }) {
  /** 400 `invalid_body` where the details are too many, too long or oddly named. */
  async function append(entry: Omit<AuditRecord, 'id' | 'at' | 'outcome'>): Promise<{ id: string }> {
    const details = Object.entries(entry.details);
    if (details.length > maxDetails) throw invalid(`must be at most ${maxDetails}`);
    for (const [name, value] of details) {
      if (!detailShape.test(name)) throw invalid('must be named by 1 to 64 letters');
      if (typeof value === 'string' && value.length > maxTextLength)
        throw invalid(`must have at most ${maxTextLength} characters`);
    }
    const id = newId();
    await audit.append({ ...entry, id, at: new Date(), outcome: null });
    return { id };
  }

  /** Once, by the actor; the same again is no error. 404 `not_found`, 409 `conflict` where it ended otherwise. */
  async function finish(id: string, o: { actorId: string; outcome: string }): Promise<void> {
    if (await audit.finish(id, o)) return;
    const entry = await audit.get(id);
    if (entry?.actorId !== o.actorId) throw appError('not_found', 'There is no such entry');
    if (entry.outcome !== o.outcome) throw appError('conflict', 'The entry has its outcome');
  }

  /** The latest first. 400 `invalid_cursor`. */
  async function list(o: {
    actorId?: string | undefined;
    targetId?: string | undefined;
    cursor?: string | undefined;
    limit?: number | undefined;
  }): Promise<{ items: AuditRecord[]; nextCursor: string | null }> {
    const { actorId, targetId, limit = 100 } = o;
    const found = await audit.list({
      ...(actorId !== undefined && { actorId }),
      ...(targetId !== undefined && { targetId }),
      ...(o.cursor !== undefined && { before: decodeIdCursor(o.cursor) }),
      limit: limit + 1,
    });
    const items = found.slice(0, limit);
    const last = items.at(-1);
    return { items, nextCursor: found.length > limit && last ? encodeIdCursor(last.id) : null };
  }

  return { append, finish, list };
}

function invalid(message: string): Error {
  return appError('invalid_body', `The details ${message}`, { errors: [{ path: '/details', message }] });
}
