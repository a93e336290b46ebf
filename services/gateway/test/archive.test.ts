import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import t, { type Test } from 'tap';
import { archiveName } from '../src/domain/archive-names.ts';
import { type ArchiveEntry, ArchiveLength, zipOf } from '../src/downloads/archive.ts';
import { Manifest } from '../src/downloads/manifest.ts';

t.setTimeout(300_000);
const run = promisify(execFile);
const AT = new Date('2024-03-05T06:07:08Z');
function folderFor(t: Test): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'coffer-archive-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
const MAX_OUTPUT = 64 * 1024 * 1024;

const file = (name: string, bytes: Buffer, sizeBytes = bytes.length): ArchiveEntry => ({
  kind: 'file',
  path: name,
  modifiedAt: AT,
  sizeBytes,
  open: async () => Readable(bytes),
});
const folder = (name: string): ArchiveEntry => ({ kind: 'folder', path: name, modifiedAt: AT });

async function* Readable(...chunks: Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}
async function* of(entries: Iterable<ArchiveEntry>): AsyncGenerator<ArchiveEntry> {
  yield* entries;
}

/** Writes the archive; pieces that are all zero are left out, so that a large one takes no room. Answers its path. */
async function write(dir: string, entries: AsyncIterable<ArchiveEntry>): Promise<string> {
  const target = path.join(dir, 'archive.zip');
  const handle = await open(target, 'w');
  let position = 0;
  let small: Uint8Array[] = [];
  const flush = async (): Promise<void> => {
    const bytes = Buffer.concat(small);
    small = [];
    if (bytes.length > 0) await handle.write(bytes, 0, bytes.length, position);
    position += bytes.length;
  };
  try {
    for await (const piece of zipOf(entries)) {
      if (piece !== ZEROS) small.push(piece);
      if (piece === ZEROS || small.length > 1_000) await flush();
      if (piece === ZEROS) position += piece.length;
    }
    await flush();
    await handle.truncate(position);
  } finally {
    await handle.close();
  }
  return target;
}
const ZEROS = Buffer.alloc(8 * 1024 * 1024);

/** What another implementation reads: name, size, whether it is a folder, time. */
async function listed(target: string): Promise<[string, number, boolean, number[]][]> {
  const script =
    'import sys,json,zipfile\nz=zipfile.ZipFile(sys.argv[1])\nprint(json.dumps([[i.filename,i.file_size,i.is_dir(),list(i.date_time)] for i in z.infolist()]))';
  const { stdout } = await run('python3', ['-c', script, target], { maxBuffer: MAX_OUTPUT });
  return JSON.parse(stdout);
}
const isSound = async (target: string): Promise<boolean> => (await run('unzip', ['-tqq', target])).stdout === '';

t.test(
  'an archive has the entries in order, with names in UTF-8, empty files and folders, and times in UTC',
  async (t) => {
    const entries = [
      folder('räksmörgås'),
      file('räksmörgås/日本 🎈.txt', Buffer.from('hello')),
      file('empty', Buffer.alloc(0)),
    ];
    const target = await write(folderFor(t), of(entries));
    const at = [2024, 3, 5, 6, 7, 8];
    t.strictSame(await listed(target), [
      ['räksmörgås/', 0, true, at],
      ['räksmörgås/日本 🎈.txt', 5, false, at],
      ['empty', 0, false, at],
    ]);
    t.ok(await isSound(target));
    const { stdout } = await run('unzip', ['-p', target, 'räksmörgås/日本 🎈.txt']);
    t.equal(stdout, 'hello');
  },
);

t.test('an archive of nothing is one', async (t) => {
  t.strictSame(await listed(await write(folderFor(t), of([]))), []);
});

t.test('more than 65,535 entries', async (t) => {
  function* many() {
    for (let n = 0; n < 70_000; n++) yield file(`f${n}`, Buffer.from(String(n)));
  }
  const target = await write(folderFor(t), of(many()));
  const entries = await listed(target);
  t.equal(entries.length, 70_000);
  t.equal(entries[69_999]?.[0], 'f69999');
  t.ok(await isSound(target), 'and unzip finds every one of them sound');
});

t.test('a file of more than 4 GiB, and one that begins beyond them', async (t) => {
  const pieces = 520;
  async function* zeros() {
    for (let n = 0; n < pieces; n++) yield ZEROS;
  }
  const sizeBytes = pieces * ZEROS.length;
  const large: ArchiveEntry = { kind: 'file', path: 'large', modifiedAt: AT, sizeBytes, open: async () => zeros() };
  const target = await write(folderFor(t), of([large, file('after', Buffer.from('small'))]));
  t.strictSame(
    (await listed(target)).map(([name, size]) => [name, size]),
    [
      ['large', sizeBytes],
      ['after', 5],
    ],
  );
  t.ok(await isSound(target));
});

t.test('a file that brings other bytes than announced breaks the archive off', async (t) => {
  await t.rejects(write(folderFor(t), of([file('short', Buffer.from('abc'), 5)])), /3 bytes instead of 5/);
  await t.rejects(write(folderFor(t), of([file('long', Buffer.from('abcdef'), 5)])), /6 bytes instead of 5/);
});

t.test('reading less than all of it closes the file that was being read', async (t) => {
  let closed = false;
  async function* endless() {
    try {
      for (;;) yield ZEROS;
    } finally {
      closed = true;
    }
  }
  const entry: ArchiveEntry = { kind: 'file', path: 'x', modifiedAt: AT, sizeBytes: 1e12, open: async () => endless() };
  const pieces = zipOf(of([entry]));
  await pieces.next();
  await pieces.next();
  await pieces.return(undefined);
  t.ok(closed);
});

/** How long it is said to be, and how long it is. */
async function lengths(entries: readonly ArchiveEntry[]): Promise<[number, number]> {
  const length = new ArchiveLength();
  for (const entry of entries) {
    const isFile = entry.kind === 'file';
    const nameBytes = Buffer.byteLength(entry.path) + (isFile ? 0 : 1);
    length.add({ nameBytes, isFile, sizeBytes: isFile ? entry.sizeBytes : 0 });
  }
  let bytes = 0;
  for await (const piece of zipOf(of(entries))) bytes += piece.length;
  return [length.bytes(), bytes];
}

t.test('the length of an archive is known before it is made', async (t) => {
  const small = fc.oneof(
    fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).map(folder),
    fc
      .tuple(fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }), fc.uint8Array({ maxLength: 50 }))
      .map(([name, bytes]) => file(name, Buffer.from(bytes))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(small, { maxLength: 20 }), async (entries) => {
      const [said, made] = await lengths(entries);
      return said === made;
    }),
    { numRuns: 200 },
  );
  const zeros = (sizeBytes: number): ArchiveEntry => ({
    kind: 'file',
    path: 'large',
    modifiedAt: AT,
    sizeBytes,
    open: async () => zerosOf(sizeBytes),
  });
  async function* zerosOf(sizeBytes: number) {
    for (let left = sizeBytes; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, Math.min(left, ZEROS.length));
  }
  const edges: [string, ArchiveEntry[]][] = [
    ['one that does not need 64 bits', [zeros(0xfffffffe), file('after', Buffer.from('x'))]],
    ['one that does', [zeros(0xffffffff), file('after', Buffer.from('x')), folder('f')]],
    ['65,534 entries', Array.from({ length: 65_534 }, (_, n) => folder(`${n}`))],
    ['65,535 entries', Array.from({ length: 65_535 }, (_, n) => folder(`${n}`))],
  ];
  for (const [what, entries] of edges) {
    const [said, made] = await lengths(entries);
    t.equal(said, made, what);
  }
});

const ID = (n: number): string => `00000000-0000-7000-8000-${String(n).padStart(12, '0')}`;

t.test('names in an archive stay below where it is unpacked', async (t) => {
  const cases: [string, string][] = [
    ['plain.txt', 'plain.txt'],
    ['..\\..\\evil.sh', `.._.._evil (${ID(1)}).sh`],
    ['C:evil', `C_evil (${ID(1)})`],
    ['a\nb', `a_b (${ID(1)})`],
    ['..', `_ (${ID(1)})`],
    ['', ` (${ID(1)})`],
    [`copy (${ID(2)}).txt`, `copy (${ID(2)}) (${ID(1)}).txt`],
  ];
  for (const [name, expected] of cases)
    t.equal(archiveName({ id: ID(1), name }, false), expected, JSON.stringify(name));
  t.equal(archiveName({ id: ID(1), name: 'a' }, true), `a (${ID(1)})`);
});

t.test('no two siblings have the same name in an archive', async () => {
  const piece = fc.oneof(
    fc.constantFrom('a', '\\', '_', '.', ':', 'C', '\n', `(${ID(0)})`, ` (${ID(1)})`, '/'),
    fc.string({ maxLength: 2 }),
  );
  const name = fc.array(piece, { maxLength: 4 }).map((parts) => parts.join('').replaceAll('/', ''));
  fc.assert(
    fc.property(fc.uniqueArray(name, { maxLength: 12 }), (names) => {
      const shown = names.flatMap((one, n) => [
        archiveName({ id: ID(n), name: one }, false),
        archiveName({ id: ID(n + 100), name: one }, true),
      ]);
      return (
        new Set(shown).size === shown.length && shown.every((one) => !/[\\/\n]/.test(one) && one !== '..' && one !== '')
      );
    }),
    { numRuns: 2_000 },
  );
});

t.test('a manifest gives back what was written into it', async (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.record({
          name: fc.string({ minLength: 1, maxLength: 60, unit: 'grapheme' }),
          isFile: fc.boolean(),
          sizeBytes: fc.maxSafeNat(),
          modifiedAtMs: fc.nat(),
          up: fc.nat({ max: 3 }),
        }),
        { maxLength: 60 },
      ),
      (drawn) => {
        const manifest = new Manifest();
        const path: string[] = [];
        const written = drawn.map(({ name, isFile, sizeBytes, modifiedAtMs, up }, n) => {
          path.length = Math.max(0, path.length - up);
          const seen = {
            id: ID(n),
            vid: isFile ? ID(n + 1_000) : undefined,
            sizeBytes: isFile ? sizeBytes : 0,
            modifiedAtMs,
            depth: path.length,
            name,
          };
          manifest.add(seen);
          const entry = { ...seen, path: [...path, name].join('/') };
          if (!isFile) path.push(name);
          return entry;
        });
        const read = [...manifest.entries()].map(({ id, vid, sizeBytes, modifiedAtMs, depth, name, path }) => ({
          id,
          vid,
          sizeBytes,
          modifiedAtMs,
          depth,
          name,
          path,
        }));
        return JSON.stringify(read) === JSON.stringify(written);
      },
    ),
    { numRuns: 300 },
  );
  const manifest = new Manifest();
  const deep = { vid: undefined, sizeBytes: 0, modifiedAtMs: 0, name: 'x'.repeat(255) };
  for (let depth = 0; depth < 255; depth++) manifest.add({ ...deep, id: ID(depth), depth });
  t.throws(
    () => {
      for (let depth = 255; depth < 260; depth++) manifest.add({ ...deep, id: ID(depth), depth });
    },
    { code: 'too_large' },
  );
});
