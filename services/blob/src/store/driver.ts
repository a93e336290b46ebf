import type { Readable, Writable } from 'node:stream';
import type { StoredBlob } from '@coffer/contracts';
import type { Expectations } from '../domain/expectations.ts';

/** A blob as the store sees it. `touchedAt` is when its bytes were last written or renewed. */
export interface BlobEntry {
  readonly digest: string;
  readonly sizeBytes: number;
  readonly touchedAt: Date;
}

export interface PutOptions {
  /** Counts until all bytes are there; after that the blob is stored whoever goes away. */
  readonly signal: AbortSignal;
  /** The pieces of the source are the store's to free; nobody else looks at them again. */
  readonly disposable?: boolean;
}

/**
 * Writes the bytes of an opened slice to `to` at its pace, without ending it, and lets go of what it reads from; also
 * when `to` closes early, which is no error. To be called exactly once.
 */
export type SendBytes = (to: Writable) => Promise<void>;

export interface OpenBlob {
  /** Of the whole blob. */
  readonly sizeBytes: number;
  /** Of what `body` holds. */
  readonly lengthBytes: number;
  /** Small slices come whole. */
  readonly body: Buffer | SendBytes;
}

export interface Page {
  readonly items: BlobEntry[];
  readonly nextCursor: string | null;
}

export interface StoreStatus {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly floorBytes: number;
  readonly writable: boolean;
  readonly quarantined: number;
}

/**
 * Where blobs are kept: content-addressed by the sha256 of their bytes (64 lower-case hex digits). Several instances may
 * share one place. Errors are those of the contract: `disk_full`, `read_only_store`, `not_found` and so on.
 */
export interface BlobDriver {
  /**
   * Takes the bytes and answers once they are durable. When it fails nothing is stored, and `source` is left paused but
   * not destroyed: what becomes of the rest of the body is the caller's.
   */
  put(source: Readable, expected: Expectations, o: PutOptions): Promise<StoredBlob>;
  /** The same for bytes that are there already. */
  putBytes(bytes: Buffer): Promise<StoredBlob>;
  /** @throws `not_found`, `range_not_satisfiable` */
  open(digest: string, wanted: { offset?: number | undefined; length?: number | undefined }): Promise<OpenBlob>;
  stat(digest: string): Promise<BlobEntry | null>;
  /** Durably sets the time of each to now; answers those that are not there. */
  renew(digests: readonly string[]): Promise<string[]>;
  /** In digest order. A page may be short or empty and still have a successor: a scan answers in bounded time. */
  list(o: { after?: string | undefined; limit: number; touchedBefore?: Date | undefined }): Promise<Page>;
  removeUntouched(digest: string, touchedBefore: Date): Promise<'removed' | 'touched' | 'absent'>;
  /** False when there is no such blob. */
  quarantine(digest: string): Promise<boolean>;
  /** Re-hashes one blob; damaged bytes go to quarantine, bytes that cannot be read are left where they are. */
  verify(digest: string, signal?: AbortSignal): Promise<'intact' | 'damaged' | 'unreadable' | 'absent'>;
  /** Every blob after `after` in digest order, as an endless store needs it: never all in memory. */
  walk(after: string): AsyncIterable<BlobEntry>;
  status(): Promise<StoreStatus>;
  /** Small pieces of the service's own state, replaced whole and atomically. */
  readState(name: string): Promise<string | null>;
  writeState(name: string, text: string): Promise<void>;
  /** Rejects when blobs cannot be read at all. */
  ready(): Promise<void>;
  close(): Promise<void>;
}
