import type { Preconditions } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { NodeDoc } from './node.ts';

/** Whether there is anything to judge. */
export function hasPreconditions(p: Preconditions | undefined): p is Preconditions {
  return p !== undefined && (p.ifMatch ?? p.ifNoneMatch ?? p.ifRev) !== undefined;
}

/**
 * RFC 9110 13.1.1 and 13.1.2 with strong comparison, on the content's etag; `ifRev` on the node's rev. `node` is null
 * where nothing is there yet. The caller's update must be conditional on `node.rev`: every change raises it, so what was
 * true here is true in the very update that writes.
 */
export function preconditionsHold(p: Preconditions, node: NodeDoc | null): boolean {
  const etag = node?.content?.etag;
  const names = (tags: readonly string[]): boolean =>
    node !== null && tags.some((tag) => tag === '*' || (etag !== undefined && tag === etag));
  if (p.ifMatch !== undefined && !names(p.ifMatch)) return false;
  if (p.ifRev !== undefined && (node === null || !p.ifRev.includes(node.rev))) return false;
  return !(p.ifNoneMatch !== undefined && names(p.ifNoneMatch));
}

/** Throws 412 `precondition_failed`. */
export function demandPreconditions(p: Preconditions | undefined, node: NodeDoc | null): void {
  if (p === undefined || preconditionsHold(p, node)) return;
  throw appError('precondition_failed', node === null ? 'There is nothing there' : 'It was changed meanwhile');
}
