// biome-ignore-all lint/suspicious/noTemplateCurlyInString: sources are planted as text.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import t, { type Test } from 'tap';
import { findLeftovers } from '../../../scripts/leftovers.ts';
import { blank, environmentReads, importsOf } from '../../../scripts/source.ts';
import { findViolations } from '../../../scripts/walls.ts';

function plant(test: Test, files: Record<string, string>): string {
  const root = mkdtempSync(path.join(tmpdir(), 'coffer-walls-'));
  test.teardown(() => rmSync(root, { recursive: true, force: true }));
  for (const room of ['services', 'packages', 'deploy', 'scripts']) mkdirSync(path.join(root, room));
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  }
  return root;
}

const LAWFUL = {
  'services/auth/package.json': '{"name": "@coffer/auth"}',
  'services/gateway/package.json': '{"name": "@coffer/gateway"}',
  'services/auth/src/config.ts': 'export const level = process.env.LOG_LEVEL;',
  'services/auth/src/main.ts':
    "import { start } from '@coffer/service-kit';\nimport { app } from './app.ts';\nstart(app);",
  'services/auth/src/app.ts':
    "import fastify from 'fastify';\n// import { x } from 'mongodb';\nexport const app = fastify;",
  'services/auth/src/store/accounts.ts': "import { MongoClient } from 'mongodb';\nimport fs from 'node:fs/promises';",
  'services/auth/src/domain/names.ts':
    "import { createHash } from 'node:crypto';\nimport type { A } from '@coffer/contracts';",
  'services/auth/test/auth.test.ts': "import { MongoClient } from 'mongodb';\nconsole.log(process.env.MONGODB_URL);",
  'packages/contracts/src/index.ts': "import { Type } from 'typebox';\nexport * from './nodes.ts';",
  'packages/contracts/src/nodes.ts': "import { Value } from 'typebox/value';",
  'packages/service-kit/src/bus.ts': "import { connect } from 'nats';",
  'packages/testing/src/index.ts': "import { readFile } from 'node:fs/promises';\nimport(process.env.X ?? 'y');",
};

const PLANTED: [wall: string, file: string, source: string, line: number][] = [
  ['apart', 'services/auth/src/a.ts', "\nimport { app } from '@coffer/gateway/app';", 2],
  ['apart', 'services/auth/src/b.ts', "import type { App } from '../../gateway/src/app.ts';", 1],
  ['apart', 'services/auth/test/c.test.ts', "await import('@coffer/gateway');", 1],
  ['apart', 'services/auth/src/d.ts', "export * from '../../../packages/contracts/src/index.ts';", 1],
  ['apart', 'packages/service-kit/src/e.ts', "import '@coffer/auth';", 1],
  ['contracts', 'packages/contracts/src/f.ts', "import fastify from 'fastify';", 1],
  ['contracts', 'packages/contracts/src/g.ts', "import { createHash } from 'node:crypto';", 1],
  ['domain', 'services/auth/src/domain/h.ts', "import {\n  type Collection,\n  MongoClient,\n} from 'mongodb';", 1],
  ['domain', 'services/auth/src/domain/i.ts', "import type { FastifyRequest } from 'fastify';", 1],
  ['domain', 'services/auth/src/domain/j.ts', "import cors from '@fastify/cors';", 1],
  ['domain', 'services/auth/src/domain/k.ts', "import { readFile } from 'fs/promises';", 1],
  ['domain', 'services/auth/src/domain/l.ts', "export { connect } from 'nats';", 1],
  ['store', 'services/auth/src/routes/m.ts', "import { ObjectId } from 'mongodb';", 1],
  ['store', 'services/auth/src/n.ts', "import { Redis } from 'ioredis';", 1],
  ['store', 'services/auth/src/o.ts', "const fs = await import('node:fs');", 1],
  ['store', 'services/auth/src/p.ts', "const fs = require('fs');", 1],
  ['store', 'packages/service-kit/src/q.ts', "import { stat } from 'node:fs/promises';", 1],
  ['bus', 'services/auth/src/events/r.ts', "import { connect } from 'nats';", 1],
  ['bus', 'services/auth/src/store/s.ts', "import { jetstream } from '@nats-io/jetstream';", 1],
  ['environment', 'services/auth/src/t.ts', 'const a = 1;\nconst b = process.env.PORT;', 2],
  ['environment', 'services/auth/src/u.ts', "const b = process['env'].PORT;", 1],
  ['environment', 'services/auth/src/v.ts', 'const { env } = process;', 1],
  ['environment', 'packages/service-kit/src/w.ts', "import { env } from 'node:process';", 1],
  ['environment', 'services/auth/src/x.ts', 'const text = `level: ${process.env.LOG_LEVEL}`;', 1],
  ['computed', 'services/auth/src/y.ts', 'const driver = await import(name);', 1],
];

t.test('a lawful tree has no violation', async (t) => {
  t.strictSame(findViolations(plant(t, LAWFUL)), []);
});

t.test('each kind of violation is found where it stands, and nothing else', async (t) => {
  const planted = Object.fromEntries(PLANTED.map(([, file, source]) => [file, source]));
  const found = findViolations(plant(t, { ...LAWFUL, ...planted }));
  const shown = found.map(({ wall, file, line }) => `${wall} ${file}:${line}`).sort();
  t.strictSame(shown, PLANTED.map(([wall, file, , line]) => `${wall} ${file}:${line}`).sort());
});

t.test('text that only looks like an import is none', async (t) => {
  const sources = [
    "// import { MongoClient } from 'mongodb';",
    "/* import a from 'b';\nimport c from 'd'; */",
    'const help = "import { MongoClient } from \'mongodb\'";',
    "const help = `import x from 'mongodb'; ${'}'} import y from 'nats'`;",
    "const quote = /['\"`]/; // import x from 'y'",
    "const from = 1; const text = 'from';",
  ];
  for (const source of sources) t.strictSame(importsOf(source), [], source);
});

t.test('imports after strings, templates and regular expressions are seen', async (t) => {
  const before = [
    'const a = /[/\'"]/g;',
    'const b = `${c ? `\'` : "}"}`;',
    "const d = 4 / 2; // '",
    "const e = '\\'';",
  ];
  for (const source of before) {
    t.strictSame(importsOf(`${source}\nimport x from 'mongodb';`), [{ specifier: 'mongodb', line: 2 }], source);
  }
  t.equal(blank("a('b')").length, "a('b')".length, 'positions stay');
  t.strictSame(environmentReads("const a = 'process.env'; // process.env"), []);
});

t.test('leftovers are found', async (t) => {
  const root = plant(t, {
    'services/a/src/merge.ts': `const a = 1;\n${'<'.repeat(7)} HEAD\n`,
    'services/a/src/note.ts': `\n// ${'TO'}DO: later`,
    'services/a/test/one.test.ts': 't.only(1);',
    'services/a/test/two.test.ts': "t.skip('x');",
    'services/a/test/three.test.ts': 'const dir = t.testdir();',
    'services/a/src/fine.ts': "const text = 't.only(1)'; // nothing to do",
  });
  const shown = findLeftovers(root).map(({ file, line }) => `${file}:${line}`);
  t.strictSame(shown.sort(), [
    'services/a/src/merge.ts:2',
    'services/a/src/note.ts:2',
    'services/a/test/one.test.ts:1',
    'services/a/test/three.test.ts:1',
    'services/a/test/two.test.ts:1',
  ]);
});
