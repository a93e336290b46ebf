// node engines-launcher.ts STATE_DIR: a launcher to be killed. Prints its engines as one line of JSON, and runs until it is ended.
import { provideEngines } from '../engines/index.ts';

const engines = await provideEngines({ stateDir: process.argv[2] ?? '' }).catch((error: Error) => {
  console.error(error.message);
  process.exit(1);
});
const { mongodbUrl, natsUrl, redisUrl, processes } = engines;
console.log(JSON.stringify({ mongodbUrl, natsUrl, redisUrl, pids: processes.flatMap((engine) => engine.pids()) }));
process.on('SIGTERM', () => {
  void engines.stop().then(() => process.exit(0));
});
