import type { Ask } from './credentials.ts';
import { UsageError } from './errors.ts';

const CTRL_C = '\u0003';
const CTRL_D = '\u0004';
const BACKSPACES = new Set(['\u007f', '\b']);

/** Asks at a terminal without an echo; from anything else it takes a line. */
export function terminal(input: NodeJS.ReadStream, output: NodeJS.WriteStream): Ask {
  return {
    isTerminal: input.isTTY === true,
    secret: async (question) => {
      const line = await (input.isTTY ? typed(input, output, question) : firstLine(input));
      if (line === '') throw new UsageError('No password was given');
      return line;
    },
  };
}

async function firstLine(input: NodeJS.ReadStream): Promise<string> {
  let text = '';
  for await (const chunk of input.setEncoding('utf8')) {
    text += chunk;
    if (text.includes('\n')) break;
  }
  return (text.split('\n')[0] ?? '').replace(/\r$/, '');
}

async function typed(input: NodeJS.ReadStream, output: NodeJS.WriteStream, question: string): Promise<string> {
  output.write(question);
  input.setRawMode(true);
  input.setEncoding('utf8').resume();
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let line: string[] = [];
  const take = (text: string): void => {
    for (const sign of text) {
      if (sign === CTRL_C) reject(new UsageError('Stopped'));
      else if (sign === '\r' || sign === '\n' || sign === CTRL_D) resolve(line.join(''));
      else if (BACKSPACES.has(sign)) line = line.slice(0, -1);
      else line.push(sign);
    }
  };
  input.on('data', take);
  try {
    return await promise;
  } finally {
    input.off('data', take);
    input.setRawMode(false);
    input.pause();
    output.write('\n');
  }
}
