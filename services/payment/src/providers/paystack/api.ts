import { appError } from '@coffer/service-kit';
import { exchange, type Reply } from '../http.ts';
import { asObject, asText, type Loose, parseObject } from '../json.ts';

export interface PaystackApi {
  /** The `data` of a success. */
  get(path: string, signal?: AbortSignal): Promise<Loose>;
  post(path: string, body: Loose, signal?: AbortSignal): Promise<Loose>;
}

export interface ApiOptions {
  readonly secretKey: string;
  /** `https://api.paystack.co`, without a slash at its end. */
  readonly url: string;
  readonly timeoutMs: number;
}

/**
 * Paystack's way of answering: `{status, message, data}`, where `status` says whether it went well whatever the HTTP status is (Paystack API
 * reference, "Introduction" and "Errors"). Throws `rate_limited` (429), `unavailable` (503, or out of reach), `timeout`, `not_found` (no such
 * transaction), `conflict` (the reference was used before), and `upstream` for all else. What Paystack said is in the cause, for the log.
 */
export function createPaystackApi({ secretKey, url, timeoutMs }: ApiOptions): PaystackApi {
  const headers = { authorization: `Bearer ${secretKey}`, accept: 'application/json' };
  return {
    async get(path, signal) {
      return dataOf(await exchange({ method: 'GET', url: `${url}${path}`, headers, timeoutMs, signal }));
    },
    async post(path, body, signal) {
      const reply = await exchange({
        method: 'POST',
        url: `${url}${path}`,
        headers: { ...headers, 'content-type': 'application/json' },
        body: JSON.stringify(body),
        timeoutMs,
        signal,
      });
      return dataOf(reply);
    },
  };
}

function dataOf(reply: Reply): Loose {
  const { status } = reply;
  const answer = parseObject(reply.text);
  if (status === 429) {
    const headers = { 'retry-after': String(retryAfterSeconds(reply.headers['retry-after'])) };
    throw appError('rate_limited', 'The payment provider takes no more requests for now', {
      headers,
      cause: said(reply, answer),
    });
  }
  if (status === 503) {
    const headers = { 'retry-after': String(retryAfterSeconds(reply.headers['retry-after'])) };
    throw appError('unavailable', 'The payment provider is not available', { headers, cause: said(reply, answer) });
  }
  const data = asObject(answer?.data);
  if (status >= 200 && status < 300 && answer?.status === true && data) return data;
  if (status >= 400 && status < 500 && answer) throw refusal(reply, answer);
  throw appError('upstream', 'The payment provider did not answer properly', { cause: said(reply, answer) });
}

/** What is told apart is known by its words: the reference lists no codes for these, and both come as 400 and as 404. */
function refusal(reply: Reply, answer: Loose): Error {
  const cause = said(reply, answer);
  const message = asText(answer.message) ?? '';
  if (/transaction (reference )?not found/i.test(message))
    return appError('not_found', 'The payment provider knows no such payment', { cause });
  if (/duplicate (transaction|charge request)/i.test(message))
    return appError('conflict', 'The payment provider has seen this reference before', { cause });
  return appError('upstream', 'The payment provider refused the request', { cause });
}

const MAX_SAID = 300;
const said = ({ status, text }: Reply, answer: Loose | undefined): Error =>
  new Error(`Paystack answered ${status}: ${(asText(answer?.message) ?? text).slice(0, MAX_SAID)}`);

const DEFAULT_RETRY_SECONDS = 60;
const LONGEST_RETRY_SECONDS = 3_600;

/** Seconds, or the time until a date (RFC 9110, 10.2.3); a minute where neither can be read. */
function retryAfterSeconds(value: string | string[] | undefined): number {
  const text = typeof value === 'string' ? value.trim() : '';
  const seconds = /^\d{1,9}$/.test(text) ? Number(text) : Math.ceil((Date.parse(text) - Date.now()) / 1000);
  if (Number.isNaN(seconds)) return DEFAULT_RETRY_SECONDS;
  return Math.min(Math.max(seconds, 1), LONGEST_RETRY_SECONDS);
}
