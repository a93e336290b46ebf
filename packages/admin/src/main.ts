/** `npm run admin -- ...`: an operator's terminal. Talks to the gateway alone, by the same `/v1/admin` as any program. */
import { configOfProcess } from './config.ts';
import { run } from './run.ts';
import { terminal } from './terminal.ts';

// Whoever reads the output may have enough of it (`| head`).
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(0);
});

const config = configOfProcess();
process.exitCode = await run(process.argv.slice(2), {
  config,
  ask: terminal(process.stdin, process.stderr),
  isColoured: process.stdout.isTTY === true && config.isColourWanted,
  out: (text) => process.stdout.write(`${text}\n`),
  note: (text) => process.stderr.write(`${text}\n`),
});
