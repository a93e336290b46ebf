import type { Directories } from './directories.ts';
import { orNull, readdir } from './files.ts';
import type { Layout } from './layout.ts';
import { linkBack } from './owner.ts';

const ROUNDS = 4;

/**
 * Does `work` with the path of a blob. While a removal looks at it once more, a blob lies aside for a moment, and until
 * it is unlinked it is there as ever: so that place is tried too, and then the first once more. Null when it is nowhere.
 */
export async function withBlob<T>(
  layout: Layout,
  digest: string,
  work: (path: string) => Promise<T>,
): Promise<T | null> {
  for (let round = 0; round < ROUNDS; round++) {
    const found = await orNull(work(layout.blob(digest)));
    if (found !== null) return found;
    const aside = await asideOf(layout, digest);
    if (aside === null) {
      if (round > 0) return null;
      continue;
    }
    const foundAside = await orNull(work(aside));
    if (foundAside !== null) return foundAside;
  }
  return null;
}

/** Gives a blob that a removal has moved aside its name back; the remover then only takes its own. False if it is gone. */
export async function bringBack(layout: Layout, directories: Directories, digest: string): Promise<boolean> {
  const aside = await asideOf(layout, digest);
  if (aside === null) return false;
  if (!(await linkBack(layout, directories, aside, digest))) return false;
  await directories.publish(digest);
  return true;
}

async function asideOf(layout: Layout, digest: string): Promise<string | null> {
  const names = (await orNull(readdir(layout.removing))) ?? [];
  const name = names.find((one) => one.startsWith(digest));
  return name === undefined ? null : `${layout.removing}/${name}`;
}
