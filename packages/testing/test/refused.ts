import type { Test } from 'tap';
import type { Reply } from '../src/index.ts';

/** Asserts that an answer is a refusal with this status and code, as a whole problem document. */
export function refused(t: Test, reply: Reply, status: number, code: string, message: string = code): void {
  const got = `${reply.status} ${reply.text().slice(0, 200)}`;
  if (!reply.headers['content-type']?.startsWith('application/problem+json')) {
    t.fail(`${message}: no problem document`, { got, wanted: `${status} ${code}` });
    return;
  }
  const problem = reply.problem();
  const isWhole =
    typeof problem.type === 'string' && typeof problem.title === 'string' && Array.isArray(problem.errors);
  t.strictSame(
    { status: reply.status, inBody: problem.status, code: problem.code, isWhole },
    { status, inBody: status, code, isWhole: true },
    message,
    { got },
  );
  if (problem.requestId !== reply.headers['x-request-id']) t.fail(`${message}: the answer names its request`, { got });
}
