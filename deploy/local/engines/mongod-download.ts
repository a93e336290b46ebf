// node mongod-download.ts DIR: fetches the official mongod into DIR unless it is there, and prints its path.
import { MongoBinary } from 'mongodb-memory-server-core';

// Whoever started this may be killed: a download that nobody waits for ends.
process.stdin.on('close', () => process.exit(1)).resume();
const downloadDir = process.argv[2];
if (downloadDir === undefined) process.exit(2);
const binary = await MongoBinary.getPath({ downloadDir, checkMD5: true }).catch((error: unknown) => {
  console.error(error);
  process.exit(1);
});
console.log(binary);
process.exit(0);
