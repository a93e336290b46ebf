import type { metadataContract, NodeRecord, NodeRef, Principal } from '@coffer/contracts';
import { appError, type CallOptions, type Client, createBatcher, isErrorCode } from '@coffer/service-kit';

/** Looks nodes up. Throws what the metadata service answers, `not_found` first of all. */
export type NodeReader = (ref: NodeRef, asker: Asker) => Promise<NodeRecord>;

/** A request, as far as it matters here. */
interface Asker {
  principal(): Principal;
  readonly call: CallOptions;
}

interface Question {
  readonly ref: NodeRef;
  readonly asker: Asker;
}

/** Questions that arrive while others are on their way go together in the next call: the hop is what a look-up costs. */
export function createNodeReader(metadata: Client<typeof metadataContract>): NodeReader {
  const one = ({ ref, asker }: Question): Promise<NodeRecord> =>
    metadata.call('resolve', { body: { ref } }, asker.call);

  const several = async (questions: Question[]): Promise<(NodeRecord | Error)[]> => {
    const body = {
      questions: questions.map(({ ref, asker }) => {
        const { accountId, link } = asker.principal();
        return { accountId, ref, ...(link && { link }) };
      }),
    };
    // One call for many askers: it belongs to none of their traces, and no single one of them may call it off.
    const principal = questions[0]?.asker.principal();
    const { answers } = await metadata.call('resolveMany', { body }, { ...(principal && { principal }) });
    return answers.map((answer) =>
      'node' in answer
        ? answer.node
        : appError(isErrorCode(answer.error.code) ? answer.error.code : 'upstream', answer.error.detail),
    );
  };

  const batcher = createBatcher<Question, NodeRecord>({
    run: async (questions) => {
      const [only] = questions;
      return questions.length === 1 && only !== undefined ? [await one(only)] : await several(questions);
    },
    maxItems: 64,
    concurrency: 2,
  });
  // What a link opens is in the principal alone, which a question among others does not carry.
  return (ref, asker) => (asker.principal().link === undefined ? batcher.add({ ref, asker }) : one({ ref, asker }));
}
