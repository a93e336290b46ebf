import { cpuSeconds, peakMemoryBytes, resetPeakMemory, withDescendants } from '@coffer/testing';

/** CPU time and peak memory of one part of the product during one measure. */
export interface PartUsage {
  readonly cpuSeconds: number;
  /** Of its largest process: pages that an engine's processes share would be counted again and again in a sum. */
  readonly peakMemoryBytes: number;
}

/** Begins to watch processes, by the part that they make up; the answer, called after the work, says what each part took. */
export function watch(pidsOf: Readonly<Record<string, readonly number[]>>): () => Record<string, PartUsage> {
  const parts = Object.entries(pidsOf)
    .map(([name, pids]) => [name, withDescendants(pids)] as const)
    .filter(([, pids]) => pids.length > 0);
  const before = new Map(parts.flatMap(([, pids]) => pids.map((pid) => [pid, cpuSeconds(pid) ?? 0])));
  for (const pid of before.keys()) resetPeakMemory(pid);
  return () =>
    Object.fromEntries(
      parts.map(([name, pids]) => [
        name,
        {
          cpuSeconds: pids.reduce((sum, pid) => sum + Math.max(0, (cpuSeconds(pid) ?? 0) - (before.get(pid) ?? 0)), 0),
          peakMemoryBytes: Math.max(...pids.map((pid) => peakMemoryBytes(pid) ?? 0)),
        },
      ]),
    );
}
