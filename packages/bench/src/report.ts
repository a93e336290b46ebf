import type { Outcome } from './jobs.ts';
import { type Row, rateOf } from './rows.ts';
import { median } from './statistics.ts';
import type { PartUsage } from './usage-meter.ts';

/** What one row brought in one round. */
export interface Sample {
  readonly coffer: Outcome;
  readonly bare?: Outcome;
  readonly bareCpuSeconds?: number;
  readonly parts: Record<string, PartUsage>;
}

export interface RowResult {
  readonly name: string;
  readonly unit: string;
  readonly leastRatio?: number;
  readonly coffer: { readonly rate: number; readonly p50Ms: number; readonly p99Ms: number };
  readonly bare?: { readonly rate: number; readonly p50Ms: number; readonly p99Ms: number };
  /** Coffer to bare: the median of the rounds' own ratios, since the machine's speed differs from round to round. */
  readonly ratio?: number;
  /** CPU time of the generator while Coffer was measured, as a share of one core. */
  readonly generatorShare: number;
  /** CPU time of one request, in milliseconds: of all parts of Coffer together, and of the bare server. */
  readonly cpuMsPerRequest?: number;
  readonly bareCpuMsPerRequest?: number;
  readonly parts: Record<string, { readonly cpuSeconds: number; readonly peakMemoryMib: number }>;
  readonly samples: readonly Sample[];
}

export function summarise(row: Row, samples: readonly Sample[]): RowResult {
  const figures = (outcomes: readonly Outcome[]) => ({
    rate: median(outcomes.map((outcome) => rateOf(row, outcome))),
    p50Ms: median(outcomes.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(outcomes.map(({ p99Ms }) => p99Ms)),
  });
  const bare = samples.flatMap((sample) => (sample.bare === undefined ? [] : [sample.bare]));
  const ratios = samples.flatMap((sample) =>
    sample.bare === undefined ? [] : [rateOf(row, sample.coffer) / rateOf(row, sample.bare)],
  );
  const sumOf = (parts: Sample['parts']): number =>
    Object.values(parts).reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  const ownCpu = samples
    .filter(({ parts }) => Object.keys(parts).length > 0)
    .map(({ parts, coffer }) => (sumOf(parts) * 1000) / coffer.requests);
  const bareCpu = samples.flatMap(({ bare: outcome, bareCpuSeconds }) =>
    outcome === undefined || bareCpuSeconds === undefined ? [] : [(bareCpuSeconds * 1000) / outcome.requests],
  );
  const partNames = [...new Set(samples.flatMap(({ parts }) => Object.keys(parts)))];
  return {
    name: row.name,
    unit: row.unit,
    ...(row.leastRatio === undefined ? {} : { leastRatio: row.leastRatio }),
    coffer: figures(samples.map(({ coffer }) => coffer)),
    ...(bare.length === 0 ? {} : { bare: figures(bare), ratio: median(ratios) }),
    generatorShare: median(samples.map(({ coffer }) => coffer.generatorCpuSeconds / coffer.seconds)),
    ...(ownCpu.length === 0 ? {} : { cpuMsPerRequest: median(ownCpu) }),
    ...(bareCpu.length === 0 ? {} : { bareCpuMsPerRequest: median(bareCpu) }),
    parts: Object.fromEntries(
      partNames.map((name) => {
        const used = samples.flatMap(({ parts }) => (parts[name] === undefined ? [] : [parts[name]]));
        return [
          name,
          {
            cpuSeconds: median(used.map((one) => one.cpuSeconds)),
            peakMemoryMib: Math.max(...used.map((one) => one.peakMemoryBytes)) / 2 ** 20,
          },
        ];
      }),
    ),
    samples,
  };
}

/** The tables for people: rates and ratios, then CPU and memory, then the machine. */
export function formatReport(results: readonly RowResult[], machine: Record<string, readonly number[]>): string {
  const rates = results.map(({ name, unit, coffer, bare, ratio, leastRatio, generatorShare }) => [
    name,
    `${number(coffer.rate)} ${unit}`,
    bare === undefined ? '' : `${number(bare.rate)} ${unit}`,
    ratio === undefined ? '' : ratio.toFixed(2),
    leastRatio === undefined ? '' : `>= ${leastRatio}`,
    `${number(coffer.p50Ms)} / ${number(coffer.p99Ms)} ms`,
    bare === undefined ? '' : `${number(bare.p50Ms)} / ${number(bare.p99Ms)} ms`,
    `${Math.round(generatorShare * 100)} %`,
  ]);
  const names = [...new Set(results.flatMap(({ parts }) => Object.keys(parts)))];
  const ms = (value: number | undefined): string => (value === undefined ? '' : `${number(value)} ms`);
  const parts = results.map(({ name, parts: used, cpuMsPerRequest, bareCpuMsPerRequest }) => [
    name,
    ms(cpuMsPerRequest),
    ms(bareCpuMsPerRequest),
    ...names.map((part) => {
      const one = used[part];
      return one === undefined ? '' : `${one.cpuSeconds.toFixed(2)} s, ${Math.round(one.peakMemoryMib)} MiB`;
    }),
  ]);
  const limits = Object.entries(machine).map(([name, values]) => [name, number(median(values))]);
  const sections = [
    table(['work', 'Coffer', 'bare server', 'ratio', 'meant', 'p50 / p99', 'bare p50 / p99', 'generator CPU'], rates),
    names.length === 0
      ? ''
      : `CPU time of one request; CPU seconds of each part in a round, and its peak memory\n\n${table(['work', 'a request', 'bare server', ...names], parts)}`,
    table(['the machine', ''], limits),
    compare(results, /^page of 100/, 'p99 of pages, largest to smallest', ({ coffer }) => coffer.p99Ms),
    compare(results, /^rename of/, 'p50 of renames, largest to smallest', ({ coffer }) => coffer.p50Ms),
  ];
  return sections.filter((section) => section !== '').join('\n\n');
}

function compare(
  results: readonly RowResult[],
  rows: RegExp,
  what: string,
  figure: (row: RowResult) => number,
): string {
  const figures = results.filter(({ name }) => rows.test(name)).map(figure);
  if (figures.length < 2) return '';
  return `${what}: ${(Math.max(...figures) / Math.min(...figures)).toFixed(2)} (meant: at most 1.5)`;
}

const number = (value: number): string =>
  value >= 1000 ? Math.round(value).toLocaleString('en') : value.toPrecision(3);

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ')
      .trimEnd();
  return [line(head), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
