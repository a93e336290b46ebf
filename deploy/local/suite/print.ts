import type { CheckResult } from './checks.ts';
import type { FileResult } from './test-file.ts';

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;

/** One line for a check, and all that it said when it failed. */
export function printCheck({ name, ok, output, durationMs }: CheckResult): void {
  console.log(`${ok ? '  ok    ' : '  FAILED'} ${name} (${seconds(durationMs)})`);
  if (!ok) console.log(indent(output));
}

/** One line for a test file, and each failure in full. */
export function printFile({ file, passed, skipped, failures, durationMs, stderr }: FileResult): void {
  const counts = [`${passed} passed`];
  if (skipped > 0) counts.push(`${skipped} skipped`);
  if (failures.length > 0) counts.push(`${failures.length} failed`);
  console.log(
    `${failures.length === 0 ? '  ok    ' : '  FAILED'} ${file} (${counts.join(', ')}; ${seconds(durationMs)})`,
  );
  for (const failure of failures) console.log(indent(`✗ ${failure.name}\n${indent(failure.detail)}`));
  if (failures.length > 0 && stderr !== '') console.log(indent(`stderr:\n${indent(stderr)}`));
}

function indent(text: string): string {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => `    ${line}`)
    .join('\n');
}
