import type { BlobEntry, Page } from '../driver.ts';
import { orNull, readdir, stat } from './files.ts';
import { isDigest, type Layout } from './layout.ts';

const STATS_AT_ONCE = 64;
const HEX_PAIR = /^[0-9a-f]{2}$/;

/** Every digest after `after`, in order, one small folder at a time. */
async function* digestsAfter(layout: Layout, after: string): AsyncGenerator<string[]> {
  for (const outer of await pairs(layout.blobs)) {
    if (outer < after.slice(0, 2)) continue;
    for (const inner of await pairs(`${layout.blobs}/${outer}`)) {
      if (outer + inner < after.slice(0, 4)) continue;
      const names = (await orNull(readdir(`${layout.blobs}/${outer}/${inner}`))) ?? [];
      yield names
        .map((name) => outer + inner + name)
        .filter((digest) => isDigest(digest) && digest > after)
        .sort();
    }
  }
}

/** Every blob after `after` in digest order; an empty array now and then, so that the reader can look at the clock. */
export async function* entriesAfter(layout: Layout, after: string): AsyncGenerator<BlobEntry[]> {
  for await (const digests of digestsAfter(layout, after)) {
    if (digests.length === 0) yield [];
    for (let i = 0; i < digests.length; i += STATS_AT_ONCE) {
      const found = await Promise.all(digests.slice(i, i + STATS_AT_ONCE).map((digest) => entry(layout, digest)));
      yield found.filter((one) => one !== null);
    }
  }
}

/**
 * One page. A scan that filters may pass millions of blobs without a hit, so it ends after `budgetMs` as well, with a
 * short page and the place it came to.
 */
export async function listPage(
  layout: Layout,
  o: { after?: string | undefined; limit: number; touchedBefore?: Date | undefined; budgetMs: number },
): Promise<Page> {
  const before = o.touchedBefore?.getTime() ?? Number.POSITIVE_INFINITY;
  const endsAtMs = performance.now() + o.budgetMs;
  const items: BlobEntry[] = [];
  let last = '';
  for await (const entries of entriesAfter(layout, o.after ?? '')) {
    for (const one of entries) {
      // One more blob than the page holds proves that there is a next page.
      if (items.length === o.limit) return { items, nextCursor: last };
      last = one.digest;
      if (one.touchedAt.getTime() < before) items.push(one);
    }
    if (last !== '' && performance.now() > endsAtMs) return { items, nextCursor: last };
  }
  return { items, nextCursor: null };
}

async function entry(layout: Layout, digest: string): Promise<BlobEntry | null> {
  const found = await orNull(stat(layout.blob(digest)));
  return found === null ? null : { digest, sizeBytes: found.size, touchedAt: found.mtime };
}

async function pairs(folder: string): Promise<string[]> {
  return ((await orNull(readdir(folder))) ?? []).filter((name) => HEX_PAIR.test(name)).sort();
}
