import { appError } from '@coffer/service-kit';
import { AwsV4Signer } from 'aws4fetch';
import { request } from 'undici';

export interface Pair {
  readonly id: string;
  readonly secret: string;
}

export interface S3Target {
  /** Empty: none, and every pair passes. */
  readonly endpoint: string;
  readonly region: string;
}

const TIMEOUT_MS = 5_000;
const REFUSED = new Set([401, 403]);

/** The headers of `GET` at `url` signed with `pair` (AWS Signature Version 4, in the header). */
export async function signedHeaders(
  url: string,
  { id, secret }: Pair,
  o: { region: string; headers?: Record<string, string>; at?: Date },
): Promise<Record<string, string>> {
  const signer = new AwsV4Signer({
    method: 'GET',
    url,
    headers: { 'x-amz-content-sha256': EMPTY_SHA256, ...o.headers },
    accessKeyId: id,
    secretAccessKey: secret,
    service: 's3',
    region: o.region,
    // Else it leaves out headers that S3 wants to be signed.
    allHeaders: true,
    ...(o.at && { datetime: o.at.toISOString().replace(/[-:]|\.\d{3}/g, '') }),
  });
  const { headers } = await signer.sign();
  return Object.fromEntries(headers);
}
const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

/**
 * Whether the server takes the pair for a list of buckets. Only its own word is a refusal: where it cannot be reached or says something else,
 * this throws `unavailable`.
 */
export async function isTaken({ endpoint, region }: S3Target, pair: Pair, signal?: AbortSignal): Promise<boolean> {
  if (endpoint === '') return true;
  const url = `${endpoint.replace(/\/+$/, '')}/`;
  let status: number;
  try {
    const headers = await signedHeaders(url, pair, { region });
    const response = await request(url, {
      headers,
      headersTimeout: TIMEOUT_MS,
      bodyTimeout: TIMEOUT_MS,
      signal: AbortSignal.any([AbortSignal.timeout(TIMEOUT_MS), ...(signal ? [signal] : [])]),
    });
    status = response.statusCode;
    await response.body.dump();
  } catch (error) {
    throw appError('unavailable', 'The keys cannot be checked now', { cause: error });
  }
  if (status >= 200 && status < 300) return true;
  if (REFUSED.has(status)) return false;
  throw appError('unavailable', 'The keys cannot be checked now', { cause: new Error(`the S3 server said ${status}`) });
}
