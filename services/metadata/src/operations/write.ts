import {
  Id,
  type Idempotency,
  type NewContent,
  type NodeRef,
  type Preconditions,
  type WriteTarget,
} from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import type { Static } from 'typebox';
import { Value } from 'typebox/value';
import { demandAccount, isDepositor } from '../domain/access.ts';
import { checkName, sortKey } from '../domain/names.ts';
import { type Chain, type NodeDoc, toContentDoc } from '../domain/node.ts';
import { demandPreconditions, hasPreconditions } from '../domain/preconditions.ts';
import type { Reservation } from '../store/ledger.ts';
import { untilDone } from './attempts.ts';
import { idemOf, insertNode, nameTaken, parentFor, replayOf, withFreeName } from './create.ts';
import { replaceContent } from './replace.ts';
import { type Caller, fileOnly, find, type Tree } from './tree.ts';

export type ByName = Extract<WriteTarget, { name: string }>;

/** Only of the caller's own tree: rights in others' are asked for each time. */
export function sawFolder(tree: Tree, caller: Caller, target: ByName, parent: Chain | null): void {
  if (parent?.node.ownerId !== caller.principal.accountId) return;
  tree.recentFolders.saw(folderKey(caller, target.parent), true);
}

/** Names a folder as the caller does; where it leads to is not said by that. */
export function folderKey(caller: Caller, ref: NodeRef): string {
  return `${caller.principal.accountId}/${'id' in ref ? `:${ref.id}` : `/${ref.path.join('/')}`}`;
}

/**
 * What a write by name asks of its folder. Who may only deposit there neither learns nor replaces what is there, so only
 * writes that take a free name will do.
 */
export function actionOf({ principal }: Caller, { parent, ifExists }: ByName): 'change' | 'deposit' {
  return ifExists === 'rename' && 'id' in parent && isDepositor(principal, parent.id) ? 'deposit' : 'change';
}

export interface Commit {
  target: WriteTarget;
  content: NewContent;
  properties: Readonly<Record<string, string>>;
  /** For a new file only, as `publish`. */
  identifier?: string | undefined;
  publish?: boolean | undefined;
  preconditions?: Preconditions | undefined;
  idempotency?: Static<typeof Idempotency> | undefined;
}

/** Points a node to content whose bytes are durable. */
export async function commitWrite(tree: Tree, caller: Caller, o: Commit): Promise<{ chain: Chain; created: boolean }> {
  const listed = o.content.chunks.reduce((sum, { length }) => sum + length, 0);
  if (listed !== o.content.sizeBytes) {
    throw appError('invalid_body', 'The chunks do not add up to the size', {
      errors: [{ path: '/content/chunks', message: 'must add up to sizeBytes' }],
    });
  }
  if ('node' in o.target) {
    const chain = fileOnly(await find(tree, caller, o.target.node, 'change'));
    const replaced = await replaceContent(tree, caller, chain, o.content, o.preconditions, o.properties);
    if (replaced === 'gone') throw appError('not_found', 'There is no such node');
    return { chain: replaced, created: false };
  }
  return await commitByName(tree, caller, o, o.target);
}

async function commitByName(
  tree: Tree,
  caller: Caller,
  o: Commit,
  target: ByName,
): Promise<{ chain: Chain; created: boolean }> {
  checkName(target.name, '/target/name');
  if ('path' in target.parent || target.parent.id === 'root') demandAccount(caller.principal.accountId);
  const action = actionOf(caller, target);
  if (action === 'deposit' && (o.identifier !== undefined || o.publish === true)) {
    throw appError('forbidden', 'A link gives no right to that');
  }
  const idem = idemOf(caller, o.idempotency);
  const replay = await replayOf(tree, caller, idem);
  if (replay !== null) return { chain: replay, created: true };
  if (o.identifier !== undefined) await demandFree(tree, o.identifier);
  const sort = sortKey(target.name, 'file');
  const renames = target.ifExists === 'rename';
  return await untilDone(async (n) => {
    // A new name is written at once, without a look: the unique index says if it was none. A hint of an old one costs
    // nothing, as it is fetched together with the folder.
    const look = !renames && (n > 0 || hasPreconditions(o.preconditions));
    const id = newId();
    const guess = look || n > 0 ? undefined : guessParent(tree, caller, target.parent);
    const hinted = !renames && guess !== undefined && tree.hints.childOf(guess, sort) !== undefined;
    // The space is taken while the folder is fetched: of the two, one round trip is waited for.
    const reserved = guess === undefined || hinted ? undefined : reserveEarly(tree, caller, id, o.content.sizeBytes);
    let folder: Chain;
    let existing: NodeDoc | null;
    try {
      const finding = parentFor(tree, caller, target.parent, target.makeFolders ?? false, action);
      const child = tree.finder.hintedChild(
        finding.then(({ node }) => node),
        renames ? undefined : guess,
        sort,
      );
      const [found, there] = await Promise.all([finding, child]);
      folder = found;
      existing = there ?? null;
      if (existing === null && look) existing = await tree.finder.child(folder.node, sort);
      demandPreconditions(o.preconditions, existing);
      if (existing !== null && target.ifExists === 'fail') throw nameTaken();
    } catch (error) {
      giveBack(reserved);
      throw error;
    }
    if (existing !== null) {
      giveBack(reserved);
      const there = { node: existing, ancestors: [folder.node, ...folder.ancestors] };
      const replaced = await replaceContent(tree, caller, there, o.content, o.preconditions, o.properties);
      return replaced === 'gone' ? undefined : { chain: replaced, created: false };
    }
    sawFolder(tree, caller, target, folder);
    const insert = (name: string): ReturnType<typeof insertNode> => {
      const by = caller.principal.accountId;
      const at = new Date();
      const content = toContentDoc(o.content, newId(), by, at);
      const { properties, identifier, publish } = o;
      const file = { id, parent: folder.node, name, kind: 'file', by, at, content } as const;
      return insertNode(tree, caller, { ...file, properties, idem, identifier, publish }, reserved);
    };
    const made =
      renames && n > 0
        ? await withFreeName(tree, folder.node, { kind: 'file', name: target.name }, insert)
        : await insert(target.name);
    if (typeof made !== 'string') {
      return { chain: { node: made, ancestors: [folder.node, ...folder.ancestors] }, created: true };
    }
    const again = await replayOf(tree, caller, idem);
    if (again !== null) return { chain: again, created: true };
    if (made === 'identifier') throw identifierTaken();
    if (made === 'name' && target.ifExists === 'fail') throw nameTaken();
    return undefined;
  });
}

const identifierTaken = () => appError('identifier_taken', 'Something else has this identifier already');

/**
 * Identifiers stand beside ids: one that reads as the id of something that is there would name two things. (Whether
 * another file has it says the index, in the very insert.)
 */
async function demandFree(tree: Tree, identifier: string): Promise<void> {
  if (!identifier.isWellFormed()) {
    throw appError('invalid_body', 'The identifier is no text', {
      errors: [{ path: '/identifier', message: 'must be well-formed Unicode' }],
    });
  }
  if (!Value.Check(Id, identifier)) return;
  const node = (await tree.nodes.load([identifier])).get(identifier);
  if (node !== undefined && node.doomedAt === undefined) throw identifierTaken();
}

function giveBack(reserved: Promise<Reservation> | undefined): void {
  reserved?.then((reservation) => reservation.settle(['failed'])).catch(() => undefined);
}

/** The folder's id where it is known or hinted, in the caller's own tree. */
function guessParent(tree: Tree, caller: Caller, ref: NodeRef): string | undefined {
  const { accountId } = caller.principal;
  if ('path' in ref) return tree.finder.guessFolder(accountId, ref.path);
  return ref.id === 'root' || ref.id === accountId ? accountId : undefined;
}

function reserveEarly(tree: Tree, caller: Caller, nodeId: string, sizeBytes: number): Promise<Reservation> {
  const taken = { bytes: sizeBytes, files: 1 };
  const reserved = tree.ledger.reserve(caller.principal.accountId, [{ nodeId, taken }]);
  // Where the folder is not there, that is the answer, whatever became of this.
  reserved.catch(() => undefined);
  return reserved;
}
