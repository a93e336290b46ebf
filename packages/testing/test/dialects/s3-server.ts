import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * The part of S3 that proves a key pair: signed `GET /`, judged by AWS Signature Version 4 written out from its specification and checked
 * against the vectors that AWS publishes with it. It says yes to nothing else.
 */
export interface S3Server {
  readonly url: string;
  /** Secrets by key id. */
  readonly keys: Map<string, string>;
  /** Answers with this status whatever is asked; undefined: by the signature. */
  failWith: number | undefined;
  requests: number;
  stop(): Promise<void>;
}

const BUCKETS = '<?xml version="1.0"?><ListAllMyBucketsResult><Buckets/></ListAllMyBucketsResult>';
const errorOf = (code: string) => `<?xml version="1.0"?><Error><Code>${code}</Code></Error>`;

export async function startS3Server(region: string, port = 0): Promise<S3Server> {
  const keys = new Map<string, string>();
  const http = createServer((request, response) => {
    const { method = '', url = '', headers } = request;
    server.requests += 1;
    request.resume();
    const verdict = server.failWith === undefined ? judge({ method, url, headers }, keys, region) : undefined;
    const status = server.failWith ?? (verdict === undefined ? 200 : 403);
    response.writeHead(status, { 'content-type': 'application/xml' });
    response.end(status === 200 ? BUCKETS : errorOf(verdict ?? 'InternalError'));
  });
  const listening = Promise.withResolvers<void>();
  http.listen(port, '127.0.0.1', listening.resolve);
  await listening.promise;
  const server: S3Server = {
    url: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
    keys,
    failWith: undefined,
    requests: 0,
    stop: () =>
      new Promise((resolve) => {
        http.close(() => resolve());
        http.closeAllConnections();
      }),
  };
  return server;
}

interface Signed {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}
const AUTHORIZATION =
  /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/s3\/aws4_request, ?SignedHeaders=([a-z0-9;-]+), ?Signature=([0-9a-f]{64})$/;

/** S3's error code, or undefined where the request is signed by one of `keys`. */
function judge(request: Signed, keys: ReadonlyMap<string, string>, region: string): string | undefined {
  const [, id = '', day, usedRegion, names = '', given = ''] =
    AUTHORIZATION.exec(request.headers.authorization ?? '') ?? [];
  const secret = keys.get(id);
  if (secret === undefined) return 'InvalidAccessKeyId';
  if (usedRegion !== region) return 'AuthorizationHeaderMalformed';
  const time = String(request.headers['x-amz-date']);
  const atMs = Date.parse(time.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/, '$1-$2-$3T$4:$5:$6Z'));
  if (!time.startsWith(String(day)) || !(Math.abs(Date.now() - atMs) < 15 * 60_000)) return 'RequestTimeTooSkewed';
  const signed = names.split(';');
  const needed = ['host', ...Object.keys(request.headers).filter((name) => name.startsWith('x-amz-'))];
  if (!needed.every((name) => signed.includes(name))) return 'AccessDenied';
  const right = signatureOf(request, { secret, region, names });
  return timingSafeEqual(Buffer.from(right), Buffer.from(given)) ? undefined : 'SignatureDoesNotMatch';
}

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest();

/** "Signature Calculations for the Authorization Header", Amazon S3 API Reference. */
export function signatureOf(
  { method, url, headers }: Signed,
  { secret, region, names }: { secret: string; region: string; names: string },
): string {
  const [path = '', query = ''] = url.split('?', 2);
  const time = String(headers['x-amz-date']);
  const pairs = query === '' ? [] : query.split('&').map((pair) => (pair.includes('=') ? pair : `${pair}=`));
  const canonical = [
    method,
    path,
    pairs.sort().join('&'),
    ...names.split(';').map((name) => `${name}:${String(headers[name]).trim()}`),
    '',
    names,
    String(headers['x-amz-content-sha256']),
  ].join('\n');
  const scope = [time.slice(0, 8), region, 's3', 'aws4_request'];
  const key = scope.reduce<string | Buffer>((sofar, part) => hmac(sofar, part), `AWS4${secret}`);
  return hmac(key, ['AWS4-HMAC-SHA256', time, scope.join('/'), sha256(canonical)].join('\n')).toString('hex');
}
