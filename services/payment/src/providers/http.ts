import { appError } from '@coffer/service-kit';
import { type Dispatcher, request } from 'undici';

export interface Ask {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  /** From the first byte sent to the last one received. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
}

/** Far more than any provider has to say about one payment. */
const MAX_REPLY_BYTES = 1024 * 1024;

/**
 * One exchange with a party outside, sent once and never redirected. Any status is a reply. Throws `unavailable` where the other side cannot be
 * reached or hangs up, `timeout`, `upstream` for a reply that is far too long, or the reason of the caller's own abort. A POST that
 * failed may have arrived all the same.
 */
export async function exchange(ask: Ask): Promise<Reply> {
  const { method, url, headers, signal } = ask;
  const deadline = AbortSignal.timeout(ask.timeoutMs);
  try {
    const {
      statusCode,
      headers: replied,
      body,
    } = await request(url, {
      method,
      headers,
      signal: signal ? AbortSignal.any([signal, deadline]) : deadline,
      ...(ask.body === undefined ? {} : { body: ask.body }),
    });
    return { status: statusCode, headers: replied, text: await read(body) };
  } catch (error) {
    signal?.throwIfAborted();
    if (deadline.aborted) throw appError('timeout', 'The payment provider did not answer in time', { cause: error });
    if (error instanceof TooLong)
      throw appError('upstream', 'The payment provider did not answer properly', { cause: error });
    const retry = { 'retry-after': '5' };
    throw appError('unavailable', 'The payment provider cannot be reached', { headers: retry, cause: error });
  }
}

class TooLong extends Error {}

async function read(body: Dispatcher.ResponseData['body']): Promise<string> {
  const parts: Buffer[] = [];
  let sizeBytes = 0;
  // Leaving the loop early destroys the body, and with it the connection.
  for await (const part of body) {
    const bytes = Buffer.from(part);
    sizeBytes += bytes.length;
    if (sizeBytes > MAX_REPLY_BYTES) throw new TooLong(`a reply of more than ${MAX_REPLY_BYTES} bytes`);
    parts.push(bytes);
  }
  return Buffer.concat(parts).toString('utf8');
}
