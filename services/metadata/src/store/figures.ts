import type { Filter } from 'mongodb';
import type { NodeDoc } from '../domain/node.ts';
import { addDeltas, weightOf } from '../domain/quota.ts';
import { addFigures, type Figures, noFigures } from '../domain/usage.ts';
import { type Database, run } from './mongo.ts';

const SIZES = { kind: 1, parentId: 1, 'content.size': 1, 'versions.size': 1 };
const FOLDERS_AT_ONCE = 200;

/** Counting what the tree holds, by its documents. */
export class FigureCounter {
  readonly #nodes: Database['nodes'];

  constructor(database: Database) {
    this.#nodes = database.nodes;
  }

  /** All that the account's documents weigh: live, trash, and what is doomed and not removed yet. */
  async total(ownerId: string): Promise<Figures> {
    const versionBytes = { $sum: '$versions.size' };
    const groups = await run(() =>
      this.#nodes
        .aggregate<{ _id: 'file' | 'folder'; count: number; bytes: number; versionBytes: number }>([
          { $match: { ownerId, parentId: { $ne: null } } },
          {
            $group: {
              _id: '$kind',
              count: { $sum: 1 },
              bytes: { $sum: { $add: [{ $ifNull: ['$content.size', 0] }, versionBytes] } },
              versionBytes: { $sum: versionBytes },
            },
          },
        ])
        .toArray(),
    );
    return groups.reduce(
      (sum, group) =>
        addFigures(sum, {
          bytes: group.bytes,
          versionBytes: group.versionBytes,
          [group._id === 'file' ? 'files' : 'folders']: group.count,
        }),
      noFigures,
    );
  }

  /** What lies in and below the trash and below what is doomed, and how many documents that are. */
  async trash(ownerId: string): Promise<Figures & { visited: number }> {
    // Each trashed or doomed node is the top of a part of its own: only live ones are walked into from above.
    const tops = await this.#find({ ownerId, trashedAt: { $exists: true } });
    tops.push(...(await this.#find({ ownerId, workAt: { $exists: true }, doomedAt: { $exists: true } })));
    return await this.#walk(ownerId, tops, Number.POSITIVE_INFINITY);
  }

  /** What lies below a folder, counted until `maxVisited` documents have been seen. */
  async below(ownerId: string, folderId: string, maxVisited: number): Promise<Figures & { visited: number }> {
    return await this.#walk(ownerId, await this.#find({ ownerId, parentId: folderId, live: true }), maxVisited);
  }

  /** Level by level. */
  async #walk(ownerId: string, tops: NodeDoc[], maxVisited: number): Promise<Figures & { visited: number }> {
    let figures = noFigures;
    let visited = 0;
    for (let level = tops; level.length > 0 && visited < maxVisited; ) {
      visited += level.length;
      figures = addFigures(figures, addDeltas(level.map(weightOf)));
      const folders = level.filter(({ kind }) => kind === 'folder').map(({ _id }) => _id);
      level = [];
      for (let i = 0; i < folders.length && visited + level.length < maxVisited; i += FOLDERS_AT_ONCE) {
        const parentId = { $in: folders.slice(i, i + FOLDERS_AT_ONCE) };
        level = level.concat(await this.#find({ ownerId, parentId, live: true }));
      }
    }
    return { ...figures, visited };
  }

  async #find(filter: Filter<NodeDoc>): Promise<NodeDoc[]> {
    return await run(() => this.#nodes.find(filter, { projection: SIZES }).toArray());
  }
}
