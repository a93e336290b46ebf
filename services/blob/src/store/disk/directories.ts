import { createBatcher } from '@coffer/service-kit';
import { hasCode, mkdir, syncDirectory } from './files.ts';
import type { Layout } from './layout.ts';

const MAX_SYNCS_AT_ONCE = 256;

export interface Directories {
  /** Makes the folders above a blob exist durably. Free once done for a folder in this process. */
  ensure(digest: string): Promise<void>;
  /** Forgets that a folder exists, after it turned out not to. */
  forget(digest: string): void;
  /** Makes the names in a folder durable; those who ask while one round runs share the next. */
  sync(path: string): Promise<void>;
}

export function createDirectories(layout: Layout): Directories {
  const known = new Map<string, Promise<void>>();
  const syncs = createBatcher<string, undefined>({ run: syncEach, maxItems: MAX_SYNCS_AT_ONCE });
  const sync = async (path: string): Promise<void> => {
    await syncs.add(path);
  };

  // The parent is synced also when the folder was there: whoever made it may have died, or not yet come, to that point.
  const make = async (path: string, parent: string): Promise<void> => {
    try {
      await mkdir(path);
    } catch (error) {
      if (!hasCode(error, 'EEXIST')) throw error;
    }
    await sync(parent);
  };

  const once = (path: string, work: () => Promise<void>): Promise<void> => {
    const before = known.get(path);
    if (before !== undefined) return before;
    const now = work();
    known.set(path, now);
    now.catch(() => known.delete(path));
    return now;
  };

  return {
    sync,
    ensure: (digest) =>
      once(layout.inner(digest), async () => {
        await once(layout.outer(digest), () => make(layout.outer(digest), layout.blobs));
        await make(layout.inner(digest), layout.outer(digest));
      }),
    forget: (digest) => {
      known.delete(layout.inner(digest));
      known.delete(layout.outer(digest));
    },
  };
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
