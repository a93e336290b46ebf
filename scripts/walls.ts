/**
 * The walls between the parts, checked on what each file imports (a type import is a dependency too):
 *
 * - `apart`       services import packages by name, never one another; packages import no service; nobody reaches into
 *                 another package's folder by a relative path.
 * - `contracts`   `packages/contracts/src` imports only TypeBox.
 * - `domain`      a service's `src/domain/` imports no driver, no Fastify and no module that does I/O.
 * - `store`       only a service's `src/store/` imports `mongodb`, `ioredis` or `node:fs`.
 * - `bus`         only `packages/service-kit` imports `nats`.
 * - `environment` `process.env` is read in `config.ts` alone.
 * - `computed`    no import of a computed name, which no check could follow.
 *
 * Tests, `packages/testing` and `packages/bench` drive real servers from outside, so the last five do not bind them;
 * `deploy/` and `scripts/` are what starts the parts and no part themselves.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { environmentReads, importsOf } from './source.ts';

export interface Violation {
  readonly wall: 'apart' | 'contracts' | 'domain' | 'store' | 'bus' | 'environment' | 'computed';
  /** Relative to the repository, with `/`. */
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

interface Part {
  readonly kind: 'services' | 'packages';
  readonly name: string;
  /** Relative to the part, with `/`. */
  readonly inside: string;
}

const SOURCE_FILE = /\.(?:[cm]?[jt]s|[jt]sx)$/;
const SKIPPED_FOLDERS = new Set(['node_modules', 'dist', 'coverage']);
const OUTSIDE_PACKAGES = new Set(['testing', 'bench']);
const DRIVERS = ['mongodb', 'ioredis', 'nats', 'bullmq', 'pg', 'undici', 'nodemailer', 'sharp', '@aws-sdk', '@nats-io'];
const WEB = ['fastify', 'fastify-plugin', '@fastify'];
/** Not `node:net`: its `isIP` and `BlockList` are rules about addresses and touch no network. */
const IO_MODULES = new Set(
  'fs http https http2 tls dgram dns child_process cluster worker_threads'.split(' ').map((name) => `node:${name}`),
);
const STORE_ONLY = ['mongodb', 'ioredis', 'node:fs'];

/** Every violation in the repository at `root`, by file and line. */
export function findViolations(root: string): Violation[] {
  const services = foldersOf(path.join(root, 'services'));
  const serviceNames = new Map(services.map((name) => [packageName(root, 'services', name), name]));
  const found: Violation[] = [];
  for (const kind of ['services', 'packages'] as const) {
    for (const name of foldersOf(path.join(root, kind))) {
      for (const inside of sourceFiles(path.join(root, kind, name))) {
        found.push(...checkFile(root, { kind, name, inside }, serviceNames));
      }
    }
  }
  return found;
}

function checkFile(root: string, part: Part, serviceNames: ReadonlyMap<string, string>): Violation[] {
  const file = `${part.kind}/${part.name}/${part.inside}`;
  const source = readFileSync(path.join(root, file), 'utf8');
  const found: Violation[] = [];
  const report = (wall: Violation['wall'], line: number, message: string): void => {
    found.push({ wall, file, line, message });
  };
  const bound = part.inside.startsWith('src/') && !OUTSIDE_PACKAGES.has(part.name);
  const isContracts = part.kind === 'packages' && part.name === 'contracts';
  const isKit = part.kind === 'packages' && part.name === 'service-kit';
  const isStore = part.kind === 'services' && part.inside.startsWith('src/store/');
  const isDomain = part.kind === 'services' && part.inside.startsWith('src/domain/');

  for (const { specifier, line } of importsOf(source)) {
    if (specifier === null) {
      if (bound) report('computed', line, 'imports a computed name');
      continue;
    }
    const name = canonical(specifier);
    const stranger = trespass(root, part, specifier, serviceNames);
    if (stranger !== null) report('apart', line, stranger);
    if (!bound) continue;
    if (isContracts && !name.startsWith('.') && !isOneOf(name, ['typebox'])) {
      report('contracts', line, `contracts imports only typebox, not ${specifier}`);
    }
    if (isDomain && (isOneOf(name, [...DRIVERS, ...WEB]) || IO_MODULES.has(moduleOf(name)))) {
      report('domain', line, `domain/ is plain functions over plain data: no ${specifier}`);
    }
    if (!isStore && !isDomain && isOneOf(name, STORE_ONLY)) {
      report('store', line, `only a service's store/ imports ${specifier}`);
    }
    if (!isKit && !isDomain && isOneOf(name, ['nats', '@nats-io'])) {
      report('bus', line, `only service-kit imports ${specifier}`);
    }
  }
  if (bound && path.posix.basename(part.inside) !== 'config.ts') {
    for (const line of environmentReads(source)) report('environment', line, 'process.env is read in config.ts alone');
  }
  return found;
}

/** Why this import leaves the part it must stay in, or null. */
function trespass(
  root: string,
  part: Part,
  specifier: string,
  serviceNames: ReadonlyMap<string, string>,
): string | null {
  if (specifier.startsWith('.') || path.isAbsolute(specifier) || specifier.startsWith('file:')) {
    const home = path.join(root, part.kind, part.name);
    const target = specifier.startsWith('file:')
      ? fileURLToPath(specifier)
      : path.resolve(path.dirname(path.join(home, part.inside)), specifier);
    if (target === home || target.startsWith(home + path.sep)) return null;
    return `${specifier} leaves ${part.kind}/${part.name}: import a package by its name`;
  }
  const service = serviceNames.get(
    specifier
      .split('/')
      .slice(0, specifier.startsWith('@') ? 2 : 1)
      .join('/'),
  );
  if (service === undefined || (part.kind === 'services' && part.name === service)) return null;
  if (part.kind === 'services') return `services never import one another: ${specifier}`;
  return OUTSIDE_PACKAGES.has(part.name) ? null : `packages import no service: ${specifier}`;
}

/** `fs` and `node:fs` are one module. */
function canonical(specifier: string): string {
  return builtinModules.includes(specifier) && !specifier.startsWith('node:') ? `node:${specifier}` : specifier;
}

function moduleOf(name: string): string {
  return name.split('/')[0] ?? name;
}

function isOneOf(name: string, packages: readonly string[]): boolean {
  return packages.some((one) => name === one || name.startsWith(`${one}/`));
}

function packageName(root: string, kind: string, folder: string): string {
  try {
    const manifest: unknown = JSON.parse(readFileSync(path.join(root, kind, folder, 'package.json'), 'utf8'));
    if (typeof manifest === 'object' && manifest !== null && 'name' in manifest) return String(manifest.name);
  } catch {
    // A folder without a manifest goes by the name it would have.
  }
  return `@coffer/${folder}`;
}

function foldersOf(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name) && !entry.name.startsWith('.'))
      .map((entry) => entry.name)
      .sort();
  } catch {
    return [];
  }
}

function* sourceFiles(folder: string, below = ''): Generator<string> {
  const entries = readdirSync(path.join(folder, below), { withFileTypes: true });
  for (const entry of entries) {
    const inside = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory() && !SKIPPED_FOLDERS.has(entry.name)) yield* sourceFiles(folder, inside);
    else if (entry.isFile() && SOURCE_FILE.test(entry.name)) yield inside;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const violations = findViolations(process.argv[2] ?? path.dirname(import.meta.dirname));
  for (const { wall, file, line, message } of violations) console.error(`${file}:${line}: ${message} [${wall}]`);
  if (violations.length > 0) process.exitCode = 1;
  else console.log('walls: every import is where it may be');
}
