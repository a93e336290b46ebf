/** What the load generator is asked to do, and what it answers. */

/** Many small requests: each of `inFlight` connections sends the next as soon as its last is answered. */
export interface RequestsJob {
  readonly kind: 'requests';
  readonly url: string;
  readonly inFlight: number;
  /** Ends after so many requests or so many seconds, whichever comes first. */
  readonly count?: number;
  readonly seconds?: number;
  readonly method: string;
  /** `{n}` becomes the number of the request. Several are taken in random order. */
  readonly paths: readonly string[];
  readonly headers: Readonly<Record<string, string>>;
  /** Random bytes, other ones in each request. */
  readonly bodyBytes?: number;
  /** Or a text, where `{n}` becomes the number of the request. */
  readonly bodyText?: string;
  /** Any other status is an error, and ends the job. */
  readonly expect: readonly number[];
}

/** One large body up (PUT) or down (GET). */
export interface StreamJob {
  readonly kind: 'stream';
  readonly url: string;
  readonly method: 'PUT' | 'GET';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly sizeBytes: number;
  readonly expect: readonly number[];
}

export type Job = RequestsJob | StreamJob;

export interface Outcome {
  readonly requests: number;
  readonly seconds: number;
  readonly bytes: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** CPU time that the generator itself took, in seconds: where it nears `seconds`, the generator is what was measured. */
  readonly generatorCpuSeconds: number;
}
