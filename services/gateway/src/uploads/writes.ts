import type { blobContract, metadataContract, StoredBlob, Write, Written } from '@coffer/contracts';
import {
  type CallOptions,
  type Client,
  createBatcher,
  partHeadOf,
  resultOfPart,
  type ServiceContext,
} from '@coffer/service-kit';

/** Enough for a busy gateway, and small enough that the first of them does not wait long for the last. */
const MAX_TOGETHER = 32;
const CALLS_AT_ONCE = 2;
/** Content of more pieces is large JSON, and goes alone. */
const MAX_CHUNKS = 4;

interface Question<T> {
  readonly input: T;
  readonly call: CallOptions;
}

/** The two steps of a small write. Those that arrive while others are on their way go together in the next call: the hop is what they cost. */
export interface Writes {
  /** Up to 64 KiB. */
  put(bytes: Buffer, call: CallOptions): Promise<StoredBlob>;
  /** Is not called off. */
  commit(write: Write, call: CallOptions): Promise<Written>;
}

export function createWrites(
  ctx: ServiceContext,
  blob: Client<typeof blobContract>,
  metadata: Client<typeof metadataContract>,
): Writes {
  const putOne = ({ input, call }: Question<Buffer>): Promise<StoredBlob> =>
    blob.send('put', { query: { sizeBytes: input.length }, body: input, contentLength: input.length }, call);

  const putMany = async (questions: Question<Buffer>[]): Promise<(StoredBlob | Error)[]> => {
    const parts = questions.map(({ input, call }) => ({ head: partHeadOf(ctx, call), sizeBytes: input.length }));
    const head = Buffer.from(JSON.stringify({ parts }));
    const length = Buffer.alloc(4);
    length.writeUInt32BE(head.length);
    const body = Buffer.concat([length, head, ...questions.map(({ input }) => input)]);
    const { answers } = await blob.send('putMany', { body, contentLength: body.length });
    return answers.map(resultOfPart);
  };

  const commitOne = ({ input, call }: Question<Write>): Promise<Written> =>
    metadata.call('commitWrite', { body: input }, call);

  const commitMany = async (questions: Question<Write>[]): Promise<(Written | Error)[]> => {
    const parts = questions.map(({ input, call }) => ({ head: partHeadOf(ctx, call), write: input }));
    const { answers } = await metadata.call('commitMany', { body: { parts } });
    return answers.map(resultOfPart);
  };

  const puts = createBatcher({ run: each(putOne, putMany), maxItems: MAX_TOGETHER, concurrency: CALLS_AT_ONCE });
  const commits = createBatcher({
    run: each(commitOne, commitMany),
    maxItems: MAX_TOGETHER,
    concurrency: CALLS_AT_ONCE,
  });
  return {
    put: (input, call) => puts.add({ input, call }),
    commit: (input, call) =>
      input.content.chunks.length > MAX_CHUNKS ? commitOne({ input, call }) : commits.add({ input, call }),
  };
}

/** One question keeps its own call, with its own trace and end. */
function each<I, O>(one: (item: I) => Promise<O>, many: (items: I[]) => Promise<(O | Error)[]>) {
  return async (items: I[]): Promise<(O | Error)[]> => {
    const [only] = items;
    return items.length === 1 && only !== undefined ? [await one(only)] : await many(items);
  };
}
