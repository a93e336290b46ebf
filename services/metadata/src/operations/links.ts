import { createHash, randomBytes } from 'node:crypto';
import { type Link, type LinkRole, NOBODY, type NodeRecord, type Principal } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { can } from '../domain/access.ts';
import { endOf, type LinkDoc, MAX_LIVING_LINKS, purgeTimeOf, toLink } from '../domain/links.ts';
import { type Chain, toRecord } from '../domain/node.ts';
import { changeEvents } from '../events/node-events.ts';
import type { LinkChange } from '../store/links.ts';
import { withEvents } from '../store/nodes.ts';
import { linkOutboxId } from '../store/outbox.ts';
import { untilDone } from './attempts.ts';
import { isThere } from './finder.ts';
import { hashPassword } from './link-passwords.ts';
import { type Caller, causeOf, find, folderOnly, type Tree } from './tree.ts';

export interface LinkSettings {
  password?: string | null;
  expiresAt?: string | null;
  maxDownloads?: number | null;
  note?: string;
}

// More than the 160 bits from which on guessing is no way, however many links there are.
const TOKEN_BYTES = 24;
const REVOKED_AT_ONCE = 200;

const hashToken = (token: string): string => createHash('sha256').update(token).digest('hex');
const noSuchLink = () => appError('not_found', 'There is no such link');

/** Makes a link and answers its token, which is not shown again. For owner and editors; not on a root. */
export async function createLink(
  tree: Tree,
  caller: Caller,
  nodeId: string,
  role: LinkRole,
  settings: LinkSettings,
): Promise<{ link: Link; token: string }> {
  const { node } = await find(tree, caller, { id: nodeId }, 'share');
  if (role === 'dropbox') folderOnly({ node, ancestors: [] });
  const now = new Date();
  const expiresAt = timeOf(settings.expiresAt);
  if (expiresAt != null && expiresAt.getTime() <= now.getTime()) throw badTime('must be in the future');
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const doc: LinkDoc = {
    _id: newId(),
    tokenHash: hashToken(token),
    nodeId: node._id,
    ownerId: node.ownerId,
    role,
    ...(settings.password == null ? {} : { password: await hashPassword(settings.password) }),
    ...(expiresAt == null ? {} : { expiresAt, purgeAt: purgeTimeOf(expiresAt) }),
    ...(settings.maxDownloads == null ? {} : { maxDownloads: settings.maxDownloads }),
    downloads: 0,
    note: settings.note ?? '',
    createdBy: caller.principal.accountId,
    createdAt: now,
  };
  // A bound against heaps, not a promise to the last one: two instances at once may pass it by as many.
  await tree.turns.take(`links/${node._id}`, async () => {
    if ((await tree.links.countLiving(node._id)) >= MAX_LIVING_LINKS) {
      throw appError('conflict', `A node has at most ${MAX_LIVING_LINKS} links`);
    }
    await tree.links.insert(doc);
  });
  return { link: toLink(doc), token };
}

export async function listLinks(tree: Tree, caller: Caller, nodeId: string): Promise<Link[]> {
  const { node } = await find(tree, caller, { id: nodeId }, 'share');
  return (await tree.links.ofNode(node._id)).map(toLink);
}

/** The link, where the caller may share what it leads to. */
async function linkFor(tree: Tree, caller: Caller, linkId: string): Promise<LinkDoc> {
  const link = await tree.links.get(linkId);
  if (link === null) throw noSuchLink();
  await find(tree, caller, { id: link.nodeId }, 'share');
  return link;
}

/** An end that is over by now ends it at once, and a later one revives what has expired; 410 `gone` for a revoked link. */
export async function updateLink(tree: Tree, caller: Caller, linkId: string, settings: LinkSettings): Promise<Link> {
  const link = await linkFor(tree, caller, linkId);
  const expiresAt = timeOf(settings.expiresAt);
  const password = settings.password == null ? settings.password : await hashPassword(settings.password);
  const now = new Date();
  const isOver = expiresAt != null && expiresAt.getTime() <= now.getTime();
  const set: LinkChange['set'] = {};
  const unset: LinkChange['unset'] = [];
  if (password === null) unset.push('password');
  else if (password !== undefined) set.password = password;
  if (settings.maxDownloads === null) unset.push('maxDownloads');
  else if (settings.maxDownloads !== undefined) set.maxDownloads = settings.maxDownloads;
  if (settings.note !== undefined) set.note = settings.note;
  if (expiresAt === null) unset.push('expiresAt', 'purgeAt');
  else if (expiresAt !== undefined) {
    set.expiresAt = expiresAt;
    set.purgeAt = purgeTimeOf(isOver ? now : expiresAt);
  }
  const event = isOver ? endEvent(tree, link, caller) : undefined;
  const isNothing = Object.keys(set).length + unset.length === 0;
  const after = isNothing ? link : await tree.links.change(linkId, { set, unset, event });
  if (after === null || after.revokedAt !== undefined) throw appError('gone', 'The link was revoked');
  if (event !== undefined) tree.outbox.announce(linkOutboxId(linkId), [event]);
  return toLink(after);
}

/** At once and for good; nothing more happens where it is already. */
export async function revokeLink(tree: Tree, caller: Caller, linkId: string): Promise<void> {
  const link = await linkFor(tree, caller, linkId);
  const at = new Date();
  const event = endEvent(tree, link, caller);
  if (await tree.links.revoke(linkId, event, at, purgeTimeOf(at))) {
    tree.outbox.announce(linkOutboxId(linkId), [event]);
  }
}

function endEvent(tree: Tree, link: LinkDoc, caller?: Caller) {
  return tree.outbox.makeEvent('linkRevoked', { linkId: link._id, nodeId: link.nodeId }, caller?.traceparent);
}

/**
 * What a token opens, at this moment. A link gives what its maker could give: one whose maker may not share the node any
 * more holds no more. Throws 404 for an unknown token, 410 `gone` for a link that has ended or whose node is not there,
 * and what `LinkPasswords.demand` says.
 */
export async function openLink(
  tree: Tree,
  o: { token: string; password?: string | undefined; address: string },
): Promise<{ link: Link; node: NodeRecord }> {
  const link = await tree.links.byTokenHash(hashToken(o.token));
  if (link === null) throw noSuchLink();
  if (endOf(link, new Date()) !== null) throw linkGone();
  const chain = await tree.finder.byId(link.nodeId);
  if (chain === null || !isThere(chain) || !mayShare(link.createdBy, chain)) throw linkGone();
  await tree.linkPasswords.demand(link, o.password, o.address);
  return { link: toLink(link), node: toRecord(chain.node, 'viewer') };
}

const linkGone = () => appError('gone', 'The link does not lead anywhere any more');

function mayShare(accountId: string, { node, ancestors }: Chain): boolean {
  const maker: Principal = { ...NOBODY, accountId, readOnly: false };
  return can(maker, 'share', node, ancestors) === 'yes';
}

/** Counts one download; 410 `gone` where there is none left or the link has ended. */
export async function countDownload(tree: Tree, linkId: string): Promise<void> {
  if (await tree.links.countDownload(linkId)) return;
  throw (await tree.links.get(linkId)) === null ? noSuchLink() : linkGone();
}

/** Signed URLs of the node that were made until now prove an epoch that is over. */
export async function raiseLinkEpoch(tree: Tree, caller: Caller, nodeId: string): Promise<Chain> {
  return await untilDone(async () => {
    const { node, ancestors } = await find(tree, caller, { id: nodeId }, 'change');
    const after = { ...node, linkEpoch: (node.linkEpoch ?? 0) + 1, rev: node.rev + 1 };
    const events = changeEvents(tree.outbox, after, after.rev, ['access'], causeOf(caller));
    const { $push, outboxAt } = withEvents(events, new Date());
    const update = { $set: { linkEpoch: after.linkEpoch, rev: after.rev, outboxAt }, $push };
    if ((await tree.nodes.update(node._id, node.rev, update, { live: true })) !== true) return undefined;
    tree.outbox.announce(node._id, events);
    return { node: after, ancestors };
  });
}

/** Ends all links that an account made or that lead into its tree; they are removed once that is told. May be repeated. */
export async function endLinksOf(tree: Tree, accountId: string): Promise<void> {
  for (;;) {
    const links = await tree.links.livingOfAccount(accountId, REVOKED_AT_ONCE);
    for (const link of links) {
      const at = new Date();
      const event = endEvent(tree, link);
      if (await tree.links.revoke(link._id, event, at, at)) tree.outbox.announce(linkOutboxId(link._id), [event]);
    }
    if (links.length < REVOKED_AT_ONCE) return;
  }
}

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)$/;

function timeOf(text: string | null | undefined): Date | null | undefined {
  if (text == null) return text;
  const time = new Date(text);
  if (!TIME.test(text) || Number.isNaN(time.getTime())) throw badTime('must be a time by ISO 8601, with its zone');
  return time;
}

function badTime(message: string) {
  return appError('invalid_body', 'The time cannot be used', { errors: [{ path: '/expiresAt', message }] });
}
