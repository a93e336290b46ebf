import type { Chunk, Content, EventEnvelope, GrantRole, NewContent, NodeRecord, Version } from '@coffer/contracts';
import { foldName, sortKey } from './names.ts';

export type NodeKind = 'file' | 'folder';

/** Pairs instead of an object: any key is legal then, also those that MongoDB's field names are not (`$a`, `a.b`, ``). */
export interface Pair {
  k: string;
  v: string;
}

/** One version of a file, whole: what belongs to it goes with it when it becomes an older one. */
export interface ContentDoc {
  vid: string;
  at: Date;
  by: string;
  size: number;
  etag: string;
  mime: string;
  sha256?: string;
  headers?: Pair[];
  chunks: Chunk[];
}

/** A version as most readers need it: its identity and what it weighs. */
export interface VersionSize {
  vid: string;
  size: number;
}

/** A folder that a copy has yet to fill from `from`, going on behind the source child whose sort key is `after`. */
export interface Fill {
  root: string;
  from: string;
  after: string;
  by: string;
  /** Whose tree the source is in, where it is another than the copy's. */
  owner?: string;
  /** When the copy began: younger nodes are not copied, or a copy moved below its source would never end. */
  at: Date;
}

export interface Idem {
  key: string;
  fingerprint: string;
  at: Date;
}

/** What an account was granted here by name, and since when it has this role. */
export interface Grant {
  accountId: string;
  role: GrantRole;
  at: Date;
}

/** A node as it is stored. `live` is there only while the node itself is neither trashed nor doomed. */
export interface NodeDoc {
  _id: string;
  ownerId: string;
  parentId: string | null;
  name: string;
  nameFold: string;
  sort: string;
  live?: true;
  kind: NodeKind;
  content?: ContentDoc;
  versions?: VersionSize[];
  createdBy: string;
  createdAt: Date;
  modifiedAt: Date;
  rev: number;
  grants: Grant[];
  generalAccess: NodeRecord['generalAccess'];
  properties: Pair[];
  /** Unique in the service, from a counter: what was given once is not given again. */
  number?: number;
  /** Unique in the service, chosen by whoever made the file. */
  identifier?: string;
  publishedAt?: Date;
  /** Part of what signed URLs prove; absent until it was raised for the first time. */
  linkEpoch?: number;
  trashedAt?: Date;
  /** Deleted for good: not there for anyone; the purge removes what is below and then the document. */
  doomedAt?: Date;
  /** When background work (purge or fill) should look at this node. */
  workAt?: Date;
  fill?: Fill;
  /** Which attempt made this node, where the id was derived and several attempts could have (copies). */
  birth?: string;
  idem?: Idem;
  outbox?: EventEnvelope[];
  outboxAt?: Date;
}

/** A node and what it hangs on, the nearest first, the root last (empty for the root itself). */
export interface Chain {
  node: NodeDoc;
  ancestors: NodeDoc[];
}

export function toPairs(record: Readonly<Record<string, string>>): Pair[] {
  return Object.entries(record).map(([k, v]) => ({ k, v }));
}

export function fromPairs(pairs: readonly Pair[] | undefined): Record<string, string> {
  // fromEntries defines own properties, so that a key such as `__proto__` stays a key.
  return Object.fromEntries((pairs ?? []).map(({ k, v }) => [k, v]));
}

export function toContentDoc(content: NewContent, vid: string, by: string, at: Date): ContentDoc {
  return {
    vid,
    at,
    by,
    size: content.sizeBytes,
    etag: content.etag,
    mime: content.mime,
    ...(content.sha256 === undefined ? {} : { sha256: content.sha256 }),
    ...(content.headers === undefined ? {} : { headers: toPairs(content.headers) }),
    chunks: content.chunks,
  };
}

export function toContent(doc: ContentDoc): Content {
  return {
    ...toVersion(doc),
    ...(doc.headers === undefined ? {} : { headers: fromPairs(doc.headers) }),
    chunks: doc.chunks,
  };
}

export function toVersion(doc: ContentDoc): Version {
  return {
    vid: doc.vid,
    sizeBytes: doc.size,
    etag: doc.etag,
    mime: doc.mime,
    ...(doc.sha256 === undefined ? {} : { sha256: doc.sha256 }),
    at: doc.at.toISOString(),
    by: doc.by,
  };
}

export function toRecord(node: NodeDoc, role: NodeRecord['role']): NodeRecord {
  return {
    id: node._id,
    kind: node.kind,
    name: node.name,
    parentId: node.parentId,
    ownerId: node.ownerId,
    rev: node.rev,
    createdAt: node.createdAt.toISOString(),
    modifiedAt: node.modifiedAt.toISOString(),
    trashedAt: node.trashedAt?.toISOString() ?? null,
    role,
    generalAccess: node.generalAccess,
    properties: fromPairs(node.properties),
    ...(node.content === undefined ? {} : { content: toContent(node.content) }),
    ...(node.number === undefined ? {} : { number: node.number }),
    ...(node.identifier === undefined ? {} : { identifier: node.identifier }),
    ...(node.linkEpoch === undefined ? {} : { linkEpoch: node.linkEpoch }),
    ...(node.publishedAt === undefined ? {} : { publishedAt: node.publishedAt.toISOString() }),
    ...(role === 'viewer' || node.grants.length === 0
      ? {}
      : { grants: node.grants.map(({ accountId, role: granted }) => ({ accountId, role: granted })) }),
  };
}

export interface NewNode {
  id: string;
  parent: NodeDoc;
  name: string;
  kind: NodeKind;
  by: string;
  at: Date;
  properties?: Readonly<Record<string, string>> | undefined;
  content?: ContentDoc | undefined;
  idem?: Idem | undefined;
  identifier?: string | undefined;
  /** Open to everyone and shown among what is, from the first moment. */
  publish?: boolean | undefined;
  /** The folder that this one is to become a copy of; background work takes it up after a while. */
  fillFrom?: NodeDoc | undefined;
}

/** How long the request that begins a copy has it for itself. */
const FIRST_FILL_MS = 15_000;

/** A document for a node that does not exist yet, live, below `parent`; its owner is the tree's, whoever makes it. */
export function newNode(o: NewNode): NodeDoc {
  return {
    _id: o.id,
    ownerId: o.parent.ownerId,
    parentId: o.parent._id,
    name: o.name,
    nameFold: foldName(o.name),
    sort: sortKey(o.name, o.kind),
    live: true,
    kind: o.kind,
    ...(o.content === undefined ? {} : { content: o.content, versions: [] }),
    createdBy: o.by,
    createdAt: o.at,
    modifiedAt: o.at,
    rev: 1,
    grants: [],
    generalAccess: o.publish === true ? 'viewer' : 'restricted',
    properties: toPairs(o.properties ?? {}),
    ...(o.publish === true ? { publishedAt: o.at } : {}),
    ...(o.identifier === undefined ? {} : { identifier: o.identifier }),
    ...(o.idem === undefined ? {} : { idem: o.idem }),
    ...(o.fillFrom === undefined
      ? {}
      : {
          fill: {
            root: o.id,
            from: o.fillFrom._id,
            after: '',
            by: o.by,
            at: o.at,
            ...(o.fillFrom.ownerId === o.parent.ownerId ? {} : { owner: o.fillFrom.ownerId }),
          },
          workAt: new Date(o.at.getTime() + FIRST_FILL_MS),
        }),
  };
}

/** The root of an account's tree. Its id is the account's, which is unique already and found without a look-up. */
export function rootNode(accountId: string, at: Date): NodeDoc {
  return {
    _id: accountId,
    ownerId: accountId,
    parentId: null,
    name: '',
    nameFold: '',
    sort: '',
    live: true,
    kind: 'folder',
    createdBy: accountId,
    createdAt: at,
    modifiedAt: at,
    rev: 1,
    grants: [],
    generalAccess: 'restricted',
    properties: [],
  };
}

export const isRoot = (node: NodeDoc): boolean => node.parentId === null;

/** Times of one node never go back, whatever the instances' clocks say of each other. */
export function notBefore(now: Date, previous: Date): Date {
  return now.getTime() >= previous.getTime() ? now : previous;
}
