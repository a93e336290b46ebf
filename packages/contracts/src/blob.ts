import Type, { type Static } from 'typebox';
import { ByteCount, Digest, PartError, PartHead, Time } from './common.ts';
import { contract } from './endpoint.ts';

export const StoredBlob = Type.Object({
  digest: Digest,
  sizeBytes: ByteCount,
  /** 32 hex digits, when asked for with `md5=true` or compared. */
  md5: Type.Optional(Type.String()),
  /** False where the same bytes were there before (they are replaced by the fresh copy all the same). */
  created: Type.Boolean(),
});
export type StoredBlob = Static<typeof StoredBlob>;

/** Small blobs that go together: at most so many, and of so many bytes each. */
export const MAX_PARTS = 64;
export const MAX_PART_BYTES = 64 * 1024;
/** The head of a `putMany` body: JSON of this, its length in bytes before it (32 bits, big-endian), and behind it the parts' bytes in turn. */
export const PutManyHead = Type.Object({
  parts: Type.Array(Type.Object({ head: PartHead, sizeBytes: Type.Integer({ minimum: 1, maximum: MAX_PART_BYTES }) }), {
    minItems: 1,
    maxItems: MAX_PARTS,
  }),
});
export type PutManyHead = Static<typeof PutManyHead>;

const DigestParams = Type.Object({ digest: Digest });

/** A blob is named by the sha256 of its bytes; it is complete and synced before it can be seen under that name. */
export const blobContract = contract({
  service: 'blob',
  endpoints: {
    /**
     * The body's bytes; acknowledged when durable. Expectations that fail (400 `digest_mismatch`, `size_mismatch`; 413 `too_large`
     * above `maxBytes`) store nothing; so does an aborted body. 507 `disk_full` before the disk is full; 503 `read_only_store`.
     */
    put: {
      op: 'blobs.put',
      method: 'POST',
      path: '/blobs',
      idempotent: false,
      body: 'bytes',
      response: StoredBlob,
      timeoutMs: 0,
      query: Type.Object({
        sizeBytes: Type.Optional(ByteCount),
        maxBytes: Type.Optional(ByteCount),
        sha256: Type.Optional(Digest),
        sha512: Type.Optional(Type.String({ pattern: '^[0-9a-f]{128}$' })),
        /** To compare; `true` only asks for it. */
        md5: Type.Optional(Type.String({ pattern: '^([0-9a-f]{32}|true)$' })),
      }),
    },
    /** Several small blobs, each with its own outcome, in order: what arrives together at a gateway costs one call. */
    putMany: {
      op: 'blobs.putMany',
      method: 'POST',
      path: '/blobs/many',
      idempotent: false,
      body: 'bytes',
      response: Type.Object({ answers: Type.Array(Type.Union([StoredBlob, PartError])) }),
      timeoutMs: 0,
    },
    /**
     * Bytes `[offset, offset + length)` as far as the blob goes, the whole blob without them. 404 `not_found` when absent or
     * quarantined; 416 `range_not_satisfiable` when `offset` lies beyond the end.
     */
    get: {
      op: 'blobs.get',
      method: 'GET',
      path: '/blobs/:digest',
      idempotent: true,
      params: DigestParams,
      response: 'bytes',
      query: Type.Object({ offset: Type.Optional(ByteCount), length: Type.Optional(ByteCount) }),
    },
    stat: {
      op: 'blobs.stat',
      method: 'GET',
      path: '/blobs/:digest/stat',
      idempotent: true,
      params: DigestParams,
      response: Type.Object({ digest: Digest, sizeBytes: ByteCount, touchedAt: Time }),
    },
    /** Sets the blobs' time to now, so that collection leaves them alone for the grace period. Answers those that are not there. */
    renew: {
      op: 'blobs.renew',
      method: 'POST',
      path: '/blobs/renew',
      idempotent: true,
      body: Type.Object(
        { digests: Type.Array(Digest, { minItems: 1, maxItems: 10_000 }) },
        { additionalProperties: false },
      ),
      response: Type.Object({ missing: Type.Array(Digest) }),
    },
    /** In digest order, from after `cursor`. A page may be short or empty and still have a next one: go on until it is null. */
    list: {
      op: 'blobs.list',
      method: 'GET',
      path: '/blobs',
      idempotent: true,
      query: Type.Object({
        cursor: Type.Optional(Digest),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000 })),
        touchedBefore: Type.Optional(Time),
      }),
      response: Type.Object({
        items: Type.Array(Type.Object({ digest: Digest, sizeBytes: ByteCount, touchedAt: Time })),
        nextCursor: Type.Union([Digest, Type.Null()]),
      }),
    },
    /**
     * Removes the blob if nobody wrote or renewed it since `touchedBefore` (a blob touched in the 10 ms before it counts as
     * touched: file times are that coarse): moved aside, looked at again, then unlinked or put back.
     */
    removeUntouched: {
      op: 'blobs.remove',
      method: 'DELETE',
      path: '/blobs/:digest',
      idempotent: true,
      params: DigestParams,
      query: Type.Object({ touchedBefore: Time }),
      response: Type.Object({
        outcome: Type.Union([Type.Literal('removed'), Type.Literal('touched'), Type.Literal('absent')]),
      }),
    },
    /** Takes a blob out of service for having wrong bytes; it is kept aside for the operator and never served. */
    quarantine: {
      op: 'blobs.quarantine',
      method: 'POST',
      path: '/blobs/:digest/quarantine',
      idempotent: true,
      params: DigestParams,
    },
    /** Re-hashes one blob now; a damaged one goes to quarantine. */
    verify: {
      op: 'blobs.verify',
      method: 'POST',
      path: '/blobs/:digest/verify',
      idempotent: true,
      params: DigestParams,
      response: Type.Object({ intact: Type.Boolean() }),
      timeoutMs: 600_000,
    },
    status: {
      op: 'store.status',
      method: 'GET',
      path: '/store',
      idempotent: true,
      response: Type.Object({
        freeBytes: ByteCount,
        totalBytes: ByteCount,
        floorBytes: ByteCount,
        writable: Type.Boolean(),
        quarantined: Type.Integer(),
        oldestCheckAt: Type.Union([Time, Type.Null()]),
      }),
    },
  },
});
