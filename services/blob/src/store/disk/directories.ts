import { createBatcher } from '@coffer/service-kit';
import { hasCode, mkdir, syncDirectory } from './files.ts';
import type { Layout } from './layout.ts';

const MAX_SYNCS_AT_ONCE = 256;

export interface Directories {
  /** Makes the folders above a blob; free once done for them in this process. True where the blob's folder is new. */
  make(digest: string): Promise<boolean>;
  /** Makes a blob's name durable, and with it the folders above. After `make` and the rename. */
  publish(digest: string): Promise<void>;
  /** Forgets that a blob's folders exist, after they turned out not to. */
  forget(digest: string): void;
  /** Makes the names in a folder durable; those who ask while one round runs share the next. */
  sync(path: string): Promise<void>;
}

export function createDirectories(layout: Layout): Directories {
  const made = new Map<string, Promise<boolean>>();
  // Folders whose own name is durable, as far as this process knows: whoever else made one may have died before that.
  const durable = new Set<string>();
  const syncs = createBatcher<string, undefined>({ run: syncEach, maxItems: MAX_SYNCS_AT_ONCE });
  const sync = async (path: string): Promise<void> => {
    await syncs.add(path);
  };

  const once = (path: string, work: () => Promise<boolean>): Promise<boolean> => {
    const before = made.get(path);
    if (before !== undefined) return before;
    const now = work();
    made.set(path, now);
    now.then(
      () => made.set(path, IS_OLD),
      () => made.delete(path),
    );
    return now;
  };

  return {
    sync,
    make: (digest) => {
      const outer = layout.outer(digest);
      const inner = layout.inner(digest);
      return once(inner, async () => {
        await once(outer, () => makeFolder(outer));
        return makeFolder(inner);
      });
    },
    async publish(digest) {
      const outer = layout.outer(digest);
      const inner = layout.inner(digest);
      // Together, so that one commit of the filesystem's journal serves them all.
      const paths = [inner];
      if (!durable.has(inner)) paths.push(outer);
      if (!durable.has(outer)) paths.push(layout.blobs);
      await Promise.all(paths.map(sync));
      durable.add(inner).add(outer);
    },
    forget: (digest) => {
      for (const path of [layout.inner(digest), layout.outer(digest)]) {
        made.delete(path);
        durable.delete(path);
      }
    },
  };
}

const IS_OLD = Promise.resolve(false);

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
    return false;
  }
}

/** Side by side: on a journalling filesystem the first commits for all, and the device merges the flushes of the others. */
async function syncEach(paths: string[]): Promise<(undefined | Error)[]> {
  const distinct = new Map<string, Promise<undefined | Error>>();
  for (const path of paths) {
    if (!distinct.has(path)) distinct.set(path, syncDirectory(path).then(nothing, asError));
  }
  return Promise.all(paths.map((path) => distinct.get(path)));
}

const nothing = (): undefined => undefined;
const asError = (error: unknown): Error => (error instanceof Error ? error : new Error(String(error)));
