/**
 * What must not be left in the sources: marks of an unresolved merge, tests that silence the others or themselves,
 * notes to oneself, and fixture folders that two runs side by side would share.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { blank, lineOf } from './source.ts';

export interface Leftover {
  /** Relative to the repository, with `/`. */
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

const ROOMS = ['services', 'packages', 'deploy', 'scripts'];
const TEXT_FILE = /\.(?:[cm]?[jt]s|json|ya?ml|md|sh)$/;

/** Where a pattern is looked for: in the text as it is, or in code without comments and strings. */
const PATTERNS: [where: 'text' | 'code', pattern: RegExp, message: string][] = [
  ['text', /^(?:<{7}|>{7}) /gm, 'mark of an unresolved merge'],
  ['text', /\/[/*][^\n]*\b(?:TODO|FIXME|XXX|HACK)\b[:( ]/g, 'a note to oneself: do it or file it'],
  ['code', /\bt\.only\s*\(|\bonly:\s*true/g, 'a test that silences the others'],
  ['code', /\bt\.(?:skip|todo)\s*\(/g, 'a test that is not run: say why with `skip: reason`'],
  ['code', /\bt\.testdir(?:Name)?\b/g, 'a fixture folder shared by runs side by side: use mkdtemp'],
];

/** Every leftover in the repository at `root`. */
export function findLeftovers(root: string): Leftover[] {
  const found: Leftover[] = [];
  for (const file of textFiles(root)) {
    const text = readFileSync(path.join(root, file), 'utf8');
    const code = /\.[cm]?[jt]s$/.test(file) ? blank(text) : '';
    for (const [where, pattern, message] of PATTERNS) {
      for (const match of (where === 'code' ? code : text).matchAll(pattern)) {
        found.push({ file, line: lineOf(text, match.index + 1), message });
      }
    }
  }
  return found;
}

function* textFiles(root: string): Generator<string> {
  for (const room of ROOMS) {
    for (const entry of readdirSync(path.join(root, room), { withFileTypes: true, recursive: true })) {
      const file = path.relative(root, path.join(entry.parentPath, entry.name));
      if (entry.isFile() && TEXT_FILE.test(file) && !file.includes('node_modules')) yield file;
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const leftovers = findLeftovers(process.argv[2] ?? path.dirname(import.meta.dirname));
  for (const { file, line, message } of leftovers) console.error(`${file}:${line}: ${message}`);
  if (leftovers.length > 0) process.exitCode = 1;
  else console.log('leftovers: none');
}
