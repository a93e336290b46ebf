/** Answers as text for people: a table of a list, name and value of anything else. */

/** Columns as wide as their widest cell, two spaces apart; the last one as long as it is. */
export function aligned(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, width(cell));
  }
  const line = (row: readonly string[]): string =>
    row.map((cell, index) => cell + ' '.repeat((widths[index] ?? 0) - width(cell))).join('  ');
  return rows.map((row) => line(row).trimEnd()).join('\n');
}

/** `bold` marks the head, where the output is a terminal. */
export function table(items: readonly unknown[], columns: readonly string[], bold: boolean): string {
  const head = columns.map((column) => titleOf(column.split('.').at(-1) ?? column));
  const rows = items.map((item) => columns.map((column) => cellAt(item, column)));
  const text = aligned([head, ...rows]);
  if (!bold) return text;
  const [first = '', ...rest] = text.split('\n');
  return [`\u001b[1m${first}\u001b[22m`, ...rest].join('\n');
}

/** What is nested is shown by its path; lists of things come as tables behind the rest. */
export function record(value: unknown, bold: boolean): string {
  const rows: string[][] = [];
  const tables: string[] = [];
  const walk = (part: unknown, path: string): void => {
    if (Array.isArray(part) && part.some(isObject)) {
      const columns = [...new Set(part.flatMap((item) => (isObject(item) ? Object.keys(item) : [])))];
      tables.push(`\n${titleOf(path)}\n${table(part, columns, bold)}`);
    } else if (isObject(part)) {
      for (const [name, below] of Object.entries(part)) {
        const here = path === '' ? name : `${path}.${name}`;
        if (isObject(below) || Array.isArray(below)) walk(below, here);
        else rows.push([here, cell(below, name, part)]);
      }
    } else {
      const cells = (Array.isArray(part) ? part : [part]).map((one) => cell(one, '', {}));
      rows.push([path, cells.length === 0 ? 'none' : cells.join(', ')]);
    }
  };
  walk(value, '');
  return [...(rows.length > 0 ? [aligned(rows)] : []), ...tables].join('\n');
}

/** The value at `a.b` of a thing, undefined where there is none. */
export function at(value: unknown, path: string): unknown {
  let here: unknown = value;
  for (const name of path.split('.')) {
    here = isObject(here) && Object.hasOwn(here, name) ? here[name] : undefined;
  }
  return here;
}

function cellAt(item: unknown, path: string): string {
  const steps = path.split('.');
  const name = steps.pop() ?? '';
  return cell(at(item, path), name, steps.length === 0 ? item : at(item, steps.join('.')));
}

/** How a value reads is told by its name: `...Bytes`, and `...Minor` beside a `currency`. */
function cell(value: unknown, name: string, beside: unknown): string {
  if (value === null || value === undefined) return '-';
  if (typeof value === 'number' && name.endsWith('Bytes')) return bytes(value);
  const currency = at(beside, 'currency');
  if (typeof value === 'number' && name.endsWith('Minor') && typeof currency === 'string')
    return money(value, currency);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'object') return plain(JSON.stringify(value));
  return plain(String(value));
}

export function bytes(count: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  let rest = count;
  while (Math.abs(rest) >= 1024 && unit < units.length - 1) {
    rest /= 1024;
    unit++;
  }
  return `${Number(rest.toFixed(1))} ${units[unit]}`;
}

/** Minor units by ISO 4217, as the runtime knows them; two where it does not know the currency. */
export function money(amountMinor: number, currency: string): string {
  const isCode = /^[A-Z]{3}$/.test(currency);
  const format = isCode ? new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions() : undefined;
  const digits = format?.maximumFractionDigits ?? 2;
  const text = String(Math.abs(amountMinor)).padStart(digits + 1, '0');
  const whole = digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`;
  return `${amountMinor < 0 ? '-' : ''}${whole} ${plain(currency)}`;
}

/** `usedBytes` → `USED`, `createdAt` → `CREATED AT`. */
function titleOf(name: string): string {
  const words = name.replace(/(?:Bytes|Minor)$/, '').replace(/([a-z])([A-Z])/g, '$1 $2');
  return words.toUpperCase();
}

/** Names come from strangers: nothing in them may steer the terminal, break the line or turn it around. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');
}

function width(text: string): number {
  return [...text].length;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
