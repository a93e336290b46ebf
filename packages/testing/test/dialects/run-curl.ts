import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface CurlAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** The curl of the system, with these arguments, as people use it. Throws where it fails itself. */
export async function curl(...args: string[]): Promise<CurlAnswer> {
  const { stdout } = await run('curl', ['-sS', '--max-time', '60', '-w', '\n%{http_code} %{content_type}', ...args], {
    encoding: 'utf8',
  });
  const end = stdout.lastIndexOf('\n');
  const [status = '', ...type] = stdout.slice(end + 1).split(' ');
  return { status: Number(status), type: type.join(' '), body: stdout.slice(0, end) };
}
