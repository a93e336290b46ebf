import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';

const OLD_MS = 3_600_000;

/** A folder of finished files: each is whole and durable, or not there. */
export interface MailFolder {
  readonly path: string;
  /** Writes or replaces the file; answers its place. */
  put(name: string, bytes: Buffer): Promise<string>;
}

/** Made if need be; open to its owner alone, for mails hold what sets a new password. */
export async function openMailFolder(directory: string): Promise<MailFolder> {
  const folder = path.resolve(directory);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await removeOld(folder);
  return {
    path: folder,
    put: async (name, bytes) => {
      const file = path.join(folder, name);
      const temporary = path.join(folder, `.${name}.${process.pid}.tmp`);
      try {
        await writeDurably(temporary, bytes);
        await rename(temporary, file);
      } catch (error) {
        await rm(temporary, { force: true });
        throw error;
      }
      // The new name is durable only with the folder.
      const handle = await open(folder, 'r');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
      return file;
    },
  };
}

async function writeDurably(file: string, bytes: Buffer): Promise<void> {
  const handle = await open(file, 'w', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** What a process left that was killed while it wrote. Younger ones may be another instance's. */
async function removeOld(folder: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!name.startsWith('.') || !name.endsWith('.tmp')) continue;
    const file = path.join(folder, name);
    const { mtimeMs } = await stat(file).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > OLD_MS) await rm(file, { force: true });
  }
}
