import type { NodeRecord } from '@coffer/contracts';
import { signPath } from '../../domain/signed-paths.ts';

/** What the signed part of a `/media/` path is for: nothing signed for another purpose opens a file there. */
export const MEDIA = 'vertex-media';

export interface ListedFile {
  readonly node: NodeRecord;
  /** Names from the root on, its own last. */
  readonly path: readonly string[];
  readonly number: number;
}

/** Types as clients of this API know them, without parameters. */
export const plainType = (node: NodeRecord): string => (node.content?.mime ?? '').split(';', 1)[0]?.trim() ?? '';

/**
 * `{"file": {<name>: …}}`. The document keys files by name; where several in the account have one name, each of them goes by its path
 * instead: names hold no slash, so no two keys are ever the same. Written by hand: as an object's keys, names like `10` would be
 * put first and `__proto__` would be lost.
 */
export function listingJson(files: readonly ListedFile[], secret: string): string {
  const counts = new Map<string, number>();
  for (const { node } of files) counts.set(node.name, (counts.get(node.name) ?? 0) + 1);
  const members = files.map((file) => {
    const key = counts.get(file.node.name) === 1 ? file.node.name : file.path.join('/');
    return `${JSON.stringify(key)}:${JSON.stringify(factsOf(file, secret))}`;
  });
  return `{"file":{${members.join(',')}}}`;
}

function factsOf({ node, number }: ListedFile, secret: string) {
  const proof = signPath(secret, MEDIA, { nodeId: node.id, accountId: node.ownerId, epoch: node.linkEpoch ?? 0 });
  return {
    id: number,
    url: `/media/${proof}/${encodeURIComponent(node.name)}`,
    type: plainType(node),
    size: node.content?.sizeBytes ?? 0,
    created_at: node.createdAt,
  };
}
