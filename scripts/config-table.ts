/**
 * The configuration table of README.md, made from the services' own schemas so that it cannot go stale:
 * `node scripts/config-table.ts` writes it between its two marks, `--check` fails where it differs.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const BEGIN = '<!-- configuration: made by scripts/config-table.ts -->';
const END = '<!-- end of configuration -->';
const SERVICES = ['gateway', 'auth', 'metadata', 'blob', 'payment', 'worker'] as const;
const root = path.resolve(import.meta.dirname, '..');

interface Property {
  readonly description?: string;
  readonly default?: unknown;
  readonly secret?: boolean;
}

interface Row extends Property {
  readonly name: string;
  readonly required: boolean;
  readonly services: string[];
}

/** A schema is plain data in the end; what the table needs of it is read off here. */
function isObjectSchema(value: unknown): value is { properties: Record<string, Property>; required?: string[] } {
  return typeof value === 'object' && value !== null && 'properties' in value;
}

async function rows(): Promise<Row[]> {
  const found = new Map<string, Row>();
  for (const service of SERVICES) {
    const file = pathToFileURL(path.join(root, 'services', service, 'src/config.ts')).href;
    const { ConfigSchema: schema }: { ConfigSchema?: unknown } = await import(file);
    if (!isObjectSchema(schema)) throw new Error(`${file} exports no ConfigSchema`);
    for (const [name, property] of Object.entries(schema.properties)) {
      // One row for all services that mean the same by a name, defaults included.
      const key = JSON.stringify([name, property.default ?? null]);
      const known = found.get(key);
      if (known) known.services.push(service);
      else {
        const required = property.default === undefined && (schema.required ?? []).includes(name);
        found.set(key, { ...property, name, required, services: [service] });
      }
    }
  }
  return [...found.values()];
}

function table(all: readonly Row[]): string {
  const lines = ['| variable | services | default | what it is |', '|---|---|---|---|'];
  for (const row of all) {
    const services = row.services.length === SERVICES.length ? 'all' : row.services.join(', ');
    const standard = row.required ? 'required' : defaultOf(row);
    const text = (row.description ?? '').replaceAll('|', '\\|').replaceAll('\n', ' ');
    lines.push(`| \`${row.name}\` | ${services} | ${standard} | ${text}${row.secret ? ' (secret)' : ''} |`);
  }
  return lines.join('\n');
}

function defaultOf({ default: value }: Row): string {
  if (value === undefined) return '';
  return value === '' ? 'empty' : `\`${String(value)}\``;
}

const readme = path.join(root, 'README.md');
const text = readFileSync(readme, 'utf8');
const [before, rest] = text.split(BEGIN);
const after = rest?.split(END)[1];
if (before === undefined || after === undefined) throw new Error(`README.md lacks the marks ${BEGIN} and ${END}`);
const made = `${before}${BEGIN}\n\n${table(await rows())}\n\n${END}${after}`;
if (process.argv.includes('--check')) {
  if (made !== text) {
    console.error('The configuration table of README.md is out of step: run `node scripts/config-table.ts`');
    process.exit(1);
  }
} else writeFileSync(readme, made);
