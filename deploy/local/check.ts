/** `npm run check`: types, format, lint, walls and leftovers, without the tests. */
import path from 'node:path';
import { runChecks } from './suite/checks.ts';
import { printCheck } from './suite/print.ts';

const results = await runChecks(path.resolve(import.meta.dirname, '../..'), printCheck);
process.exitCode = results.every((result) => result.ok) ? 0 : 1;
