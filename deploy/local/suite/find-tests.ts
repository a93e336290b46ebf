import { readdirSync } from 'node:fs';
import path from 'node:path';

const ROOMS = ['scripts', 'packages', 'services', 'deploy'];

/**
 * The `*.test.ts` files of the workspace, relative to `root`. With filters, those whose path contains one of them; a
 * filter may be written as a path from the repository's root, with or without `./`.
 */
export function findTests(root: string, filters: readonly string[] = []): string[] {
  const wanted = filters.map((filter) => path.normalize(filter).replace(/\/$/, ''));
  const found: string[] = [];
  const walk = (folder: string): void => {
    for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory() && entry.name !== 'node_modules' && !entry.name.startsWith('.')) walk(file);
      else if (entry.isFile() && entry.name.endsWith('.test.ts')) found.push(file);
    }
  };
  for (const room of ROOMS) walk(room);
  return found.filter((file) => wanted.length === 0 || wanted.some((filter) => file.includes(filter))).sort();
}
