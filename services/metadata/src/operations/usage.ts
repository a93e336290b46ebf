import { setTimeout as sleep } from 'node:timers/promises';
import type { Principal, Usage } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import { demandAccount } from '../domain/access.ts';
import { type Figures, figuresOf, noFigures, toUsage, type UsageDoc } from '../domain/usage.ts';
import type { Totals } from '../store/limits.ts';
import type { Tree } from './tree.ts';

/** Trash with no more documents than this is counted anew each time. */
const COUNT_ALWAYS = 1_000;
/** For so long after a change of the trash a count may have missed a write that was under way, and is not kept. */
const SETTLE_MS = 60_000;
const RECOUNT_ATTEMPTS = 10;
const RECOUNT_PAUSE_MS = 50;
const SETTLED_WITHIN_MS = 20_000;

function demandOwnerOrOperator(principal: Principal, accountId: string): void {
  demandAccount(principal.accountId);
  if (principal.accountId === accountId || principal.role === 'operator') return;
  throw appError('not_found', 'There is no such account');
}

function demandOperatorRole(principal: Principal): void {
  if (principal.role !== 'operator') throw appError('forbidden', 'This is for operators');
}

function demandOperator(principal: Principal): void {
  demandOperatorRole(principal);
  if (principal.readOnly) throw appError('read_only', 'This key may only read');
}

export async function getUsage(tree: Tree, principal: Principal, accountId: string): Promise<Usage> {
  demandOwnerOrOperator(principal, accountId);
  const doc = await tree.usage.get(accountId);
  if (doc === null) return toUsage(noFigures, noFigures, tree.usage.freeLimitBytes);
  // Operators may watch how the removal goes.
  if (doc.deletedAt !== undefined && principal.role !== 'operator')
    throw appError('not_found', 'There is no such account');
  return toUsage(figuresOf(doc), await trashOf(tree, doc), doc.limitBytes);
}

async function trashOf(tree: Tree, doc: UsageDoc): Promise<Figures> {
  if (doc.trash !== undefined && doc.trash.rev === doc.trashRev) return doc.trash;
  const { visited, ...figures } = await tree.figures.trash(doc._id);
  const isSettled = doc.trashAt === undefined || doc.trashAt.getTime() < Date.now() - SETTLE_MS;
  if (visited > COUNT_ALWAYS && isSettled) await tree.usage.rememberTrash(doc._id, doc.trashRev, new Date(), figures);
  return figures;
}

export async function setLimit(
  tree: Tree,
  principal: Principal,
  accountId: string,
  limitBytes: number | null,
): Promise<Usage> {
  demandOperator(principal);
  await tree.limits.setByOperator(accountId, limitBytes);
  tree.recentSpace.forget(accountId);
  return await getUsage(tree, principal, accountId);
}

/** Usage of all accounts together, trash and versions counted; for operators. */
export async function getTotals(tree: Tree, principal: Principal): Promise<Totals> {
  demandOperatorRole(principal);
  return await tree.limits.totals();
}

/**
 * Counts by the documents. Where nothing changes meanwhile, both answers are of one moment; in a busy account the last
 * attempt's are given as they are, and `repair`, which must not undo what happened meanwhile, answers 409 `busy`.
 */
export async function recount(
  tree: Tree,
  principal: Principal,
  accountId: string,
  repair: boolean,
): Promise<{ stored: Usage; counted: Usage }> {
  if (repair) demandOperator(principal);
  demandOwnerOrOperator(principal, accountId);
  await untilSettled(tree, accountId);
  for (let attempt = 1; ; attempt++) {
    const before = await tree.usage.get(accountId);
    if (before === null) {
      const none = toUsage(noFigures, noFigures, tree.usage.freeLimitBytes);
      return { stored: none, counted: none };
    }
    const total = await tree.figures.total(accountId);
    const { visited: _, ...trash } = await tree.figures.trash(accountId);
    const after = await tree.usage.get(accountId);
    const isQuiet = after?.seq === before.seq && Object.keys(before.pending).length === 0;
    if (!isQuiet && attempt < RECOUNT_ATTEMPTS) {
      await sleep(RECOUNT_PAUSE_MS);
      continue;
    }
    if (repair) await store(tree, before, total, isQuiet);
    return {
      stored: toUsage(figuresOf(before), trash, before.limitBytes),
      counted: toUsage(total, trash, before.limitBytes),
    };
  }
}

/** Waits for what is under way, and for the sweeper where a crash left something; not for ever in a busy account. */
async function untilSettled(tree: Tree, accountId: string): Promise<void> {
  await tree.ledger.flush(accountId);
  for (const end = Date.now() + SETTLED_WITHIN_MS; Date.now() < end; await sleep(RECOUNT_PAUSE_MS)) {
    const doc = await tree.usage.get(accountId);
    if (doc === null || Object.keys(doc.pending).length === 0) return;
  }
}

async function store(tree: Tree, before: UsageDoc, total: Figures, isQuiet: boolean): Promise<void> {
  const figures = {
    usedBytes: total.bytes,
    versionBytes: total.versionBytes,
    files: total.files,
    folders: total.folders,
  };
  const unchanged = { seq: before.seq, pending: {} };
  const stored = isQuiet && (await tree.usage.update(before._id, { $set: figures, $inc: { seq: 1 } }, unchanged));
  if (!stored) throw appError('busy', 'The account is being written to');
}
