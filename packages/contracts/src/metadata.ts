import Type, { type Static } from 'typebox';
import { Idempotency } from './auth.ts';
import { ByteCount, Digest, Id, NullableTime, PageQuery, PartError, PartHead, Principal, Time } from './common.ts';
import { contract } from './endpoint.ts';

/** A slice of a blob: `length` bytes from `offset`. A file's content is an ordered list of them. */
export const Chunk = Type.Object({ digest: Digest, offset: ByteCount, length: ByteCount });
export type Chunk = Static<typeof Chunk>;

/** What a writer hands over: the bytes are durable in the blob store already. */
export const NewContent = Type.Object({
  sizeBytes: ByteCount,
  /** Strong entity tag without its quotes. */
  etag: Type.String({ minLength: 1, maxLength: 128 }),
  mime: Type.String({ minLength: 1, maxLength: 255 }),
  sha256: Type.Optional(Digest),
  headers: Type.Optional(Type.Record(Type.String(), Type.String({ maxLength: 1024 }))),
  chunks: Type.Array(Chunk, { maxItems: 10_000 }),
});
export type NewContent = Static<typeof NewContent>;

export const Content = Type.Object({ ...NewContent.properties, vid: Id, at: Time, by: Id });
export type Content = Static<typeof Content>;

export const NodeKind = Type.Union([Type.Literal('file'), Type.Literal('folder')]);
export const GeneralAccess = Type.Union([Type.Literal('restricted'), Type.Literal('viewer'), Type.Literal('editor')]);
export const NodeRole = Type.Union([Type.Literal('owner'), Type.Literal('editor'), Type.Literal('viewer')]);

/** What can be granted; ownership cannot. */
export const GrantRole = Type.Union([Type.Literal('editor'), Type.Literal('viewer')]);
export type GrantRole = Static<typeof GrantRole>;

/** Free-form, bounded: at most 64 keys of 1 to 128 characters, values of at most 4,096 characters, 16 KiB in all (checked by metadata). */
export const Properties = Type.Record(Type.String(), Type.String({ maxLength: 4096 }));

/** A node as metadata hands it to other services: the public facts and, for files, where the bytes are. */
export const NodeRecord = Type.Object({
  id: Id,
  kind: NodeKind,
  name: Type.String(),
  parentId: Type.Union([Id, Type.Null()]),
  ownerId: Id,
  rev: Type.Integer(),
  createdAt: Time,
  modifiedAt: Time,
  trashedAt: NullableTime,
  role: NodeRole,
  generalAccess: GeneralAccess,
  properties: Properties,
  content: Type.Optional(Content),
  /** Integer that stands for the node, unique in the service; only where one was given (`numberNodes`). */
  number: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Name that is unique in the service; only where the file was made with one. */
  identifier: Type.Optional(Type.String()),
  /** Part of what signed URLs prove: they stop working when it is raised. Only where it was raised. */
  linkEpoch: Type.Optional(Type.Integer({ minimum: 1 })),
  /** Since when it is shown among what everyone may see; only where it was published. */
  publishedAt: Type.Optional(Time),
  /** Who was given something on this very node, for those who may change that; absent where nobody was. */
  grants: Type.Optional(Type.Array(Type.Object({ accountId: Id, role: GrantRole }))),
});
export type NodeRecord = Static<typeof NodeRecord>;

/** Version as listed: the newest first, the current one not among them. */
export const Version = Type.Object({
  vid: Id,
  sizeBytes: ByteCount,
  etag: Type.String(),
  mime: Type.String(),
  sha256: Type.Optional(Digest),
  at: Time,
  by: Id,
});
export type Version = Static<typeof Version>;

/**
 * Who has what on a node, and from where it comes: `nodeId` is the node itself or the folder above it that carries the
 * grant. An account has one entry per node that grants it something; the highest of them counts.
 */
export const Access = Type.Object({
  ownerId: Id,
  /** The node's own setting, and the widest of it and those above with the node that has it. */
  generalAccess: GeneralAccess,
  effectiveGeneralAccess: Type.Object({ access: GeneralAccess, nodeId: Id }),
  grants: Type.Array(Type.Object({ accountId: Id, role: GrantRole, nodeId: Id })),
});
export type Access = Static<typeof Access>;

export const Usage = Type.Object({
  usedBytes: ByteCount,
  limitBytes: ByteCount,
  liveBytes: ByteCount,
  trashBytes: ByteCount,
  versionBytes: ByteCount,
  files: Type.Integer(),
  folders: Type.Integer(),
});
export type Usage = Static<typeof Usage>;

/** Gives whoever holds its token something: `viewer` to read a file or what is in a folder, `dropbox` to put new files into a folder unseen. */
export const LinkRole = Type.Union([Type.Literal('viewer'), Type.Literal('dropbox')]);
export type LinkRole = Static<typeof LinkRole>;
export const Link = Type.Object({
  id: Id,
  nodeId: Id,
  role: LinkRole,
  hasPassword: Type.Boolean(),
  expiresAt: NullableTime,
  maxDownloads: Type.Union([Type.Integer({ minimum: 1 }), Type.Null()]),
  downloads: Type.Integer({ minimum: 0 }),
  note: Type.String(),
  createdBy: Id,
  createdAt: Time,
  revokedAt: NullableTime,
});
export type Link = Static<typeof Link>;
const LinkSettings = {
  /** Null takes it away. */
  password: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 1024 }), Type.Null()])),
  expiresAt: Type.Optional(NullableTime),
  maxDownloads: Type.Optional(Type.Union([Type.Integer({ minimum: 1, maximum: 1_000_000_000 }), Type.Null()])),
  note: Type.Optional(Type.String({ maxLength: 1000 })),
};
const LinkParams = Type.Object({ linkId: Id });

/** Raw names: any Unicode but `/` and NUL, at most 255 bytes of UTF-8, not `.` or `..`; checked by metadata (400 `invalid_name`). */
const Name = Type.String({ minLength: 0, maxLength: 1024 });

/**
 * Which node is meant: by id (`root` is the caller's own root folder) or by path in the caller's own tree, as decoded names from the root
 * on ([] is the root). Where a file and a folder of one name stand side by side, `kind` chooses; without it the file is taken first.
 */
export const NodeRef = Type.Union([
  Type.Object({ id: Type.Union([Id, Type.Literal('root')]) }, { additionalProperties: false }),
  Type.Object(
    { path: Type.Array(Name, { maxItems: 256 }), kind: Type.Optional(NodeKind) },
    { additionalProperties: false },
  ),
]);
export type NodeRef = Static<typeof NodeRef>;

/**
 * Preconditions of RFC 9110 13.1 on what the request replaces: entity tags without quotes, `*` for "exists". They are judged in the very
 * update that writes. `ifMatch` on a file's content compares the content's etag; `ifRev` the node's rev.
 */
export const Preconditions = Type.Object(
  {
    ifMatch: Type.Optional(Type.Array(Type.String(), { maxItems: 32 })),
    ifNoneMatch: Type.Optional(Type.Array(Type.String(), { maxItems: 32 })),
    ifRev: Type.Optional(Type.Array(Type.Integer(), { maxItems: 32 })),
  },
  { additionalProperties: false },
);
export type Preconditions = Static<typeof Preconditions>;

/**
 * Where an upload goes: new content of a file that is there (`node`), or a name in a folder, made or replaced. `makeFolders` makes the missing
 * folders of a path. `ifExists: 'fail'` answers 409 `name_taken` (as POST does), 'replace' is PUT, 'rename' takes the next free name like it: `name (1).ext`.
 */
export const WriteTarget = Type.Union([
  Type.Object({ node: NodeRef }, { additionalProperties: false }),
  Type.Object(
    {
      parent: NodeRef,
      name: Name,
      makeFolders: Type.Optional(Type.Boolean()),
      ifExists: Type.Union([Type.Literal('fail'), Type.Literal('replace'), Type.Literal('rename')]),
    },
    { additionalProperties: false },
  ),
]);
export type WriteTarget = Static<typeof WriteTarget>;

const NodeParams = Type.Object({ id: Type.Union([Id, Type.Literal('root')]) });
const NodePage = Type.Object({ items: Type.Array(NodeRecord), nextCursor: Type.Union([Type.String(), Type.Null()]) });
const Flags = { preconditions: Type.Optional(Preconditions), idempotency: Type.Optional(Idempotency) };
const strict = { additionalProperties: false } as const;

const Write = Type.Object(
  {
    target: WriteTarget,
    content: NewContent,
    properties: Type.Optional(Properties),
    /** For a new file only: 409 `identifier_taken` where any other node has it. */
    identifier: Type.Optional(Type.String({ minLength: 1, maxLength: 1024 })),
    /** For a new file only: made with `generalAccess: 'viewer'` and a `publishedAt`. */
    publish: Type.Optional(Type.Boolean()),
    ...Flags,
  },
  strict,
);
export type Write = Static<typeof Write>;
const Written = Type.Object({ node: NodeRecord, created: Type.Boolean() });
export type Written = Static<typeof Written>;

/** Every call carries a principal. What the principal may not see answers 404 `not_found`; what it may see but not do, 403. */
export const metadataContract = contract({
  service: 'metadata',
  endpoints: {
    resolve: {
      op: 'nodes.resolve',
      method: 'POST',
      path: '/nodes/resolve',
      idempotent: true,
      body: Type.Object(
        {
          ref: NodeRef,
          /** 403 `forbidden` instead of 404 for a node that is there but not the caller's to see: for doors whose documents tell the two apart. */
          tellHidden: Type.Optional(Type.Boolean()),
        },
        strict,
      ),
      response: NodeRecord,
    },
    /** Several at once, each with its own outcome, in order: the caller's way to put questions that arrive together into one. Principals may differ, so each question carries its own. */
    resolveMany: {
      op: 'nodes.resolveMany',
      method: 'POST',
      path: '/nodes/resolve-many',
      idempotent: true,
      body: Type.Object(
        {
          questions: Type.Array(Type.Object({ accountId: Id, ref: NodeRef, link: Principal.properties.link }, strict), {
            minItems: 1,
            maxItems: 256,
          }),
        },
        strict,
      ),
      response: Type.Object({
        answers: Type.Array(
          Type.Union([
            Type.Object({ node: NodeRecord }),
            Type.Object({ error: Type.Object({ code: Type.String(), detail: Type.String() }) }),
          ]),
        ),
      }),
    },
    /** Folders' children in byte order of name; 409 `not_a_folder`. */
    listChildren: {
      op: 'nodes.children',
      method: 'GET',
      path: '/nodes/:id/children',
      idempotent: true,
      params: NodeParams,
      query: PageQuery,
      response: NodePage,
    },
    createFolder: {
      op: 'folders.create',
      method: 'POST',
      path: '/folders',
      idempotent: false,
      body: Type.Object(
        {
          parent: NodeRef,
          name: Name,
          properties: Type.Optional(Properties),
          makeFolders: Type.Optional(Type.Boolean()),
          /** Answer the folder that is there instead of 409. */ existing: Type.Optional(Type.Boolean()),
          /** Take the next free name like it instead of 409: `name (1)`. */ rename: Type.Optional(Type.Boolean()),
          idempotency: Type.Optional(Idempotency),
        },
        strict,
      ),
      response: Type.Object({ node: NodeRecord, created: Type.Boolean() }),
    },
    /**
     * Rename, move, properties (null removes one), general access: any of them together, in one update. A move stays
     * within the owner's tree (409 `conflict`). The root takes none of it (403).
     */
    updateNode: {
      op: 'nodes.update',
      method: 'PATCH',
      path: '/nodes/:id',
      idempotent: false,
      params: NodeParams,
      body: Type.Object(
        {
          name: Type.Optional(Name),
          /** Take the next free name like it instead of 409: `name (1)`. */
          rename: Type.Optional(Type.Boolean()),
          parentId: Type.Optional(Type.Union([Id, Type.Literal('root')])),
          properties: Type.Optional(
            Type.Record(Type.String(), Type.Union([Type.String({ maxLength: 4096 }), Type.Null()])),
          ),
          generalAccess: Type.Optional(GeneralAccess),
          preconditions: Type.Optional(Preconditions),
        },
        strict,
      ),
      response: NodeRecord,
    },
    /** For whoever may read the node; who may not change it sees the owner and their own entries only. */
    getAccess: {
      op: 'access.get',
      method: 'GET',
      path: '/nodes/:id/access',
      idempotent: true,
      params: NodeParams,
      response: Access,
    },
    /**
     * Gives and takes rights on this node, all in one update; for owner and editors, not on a root (403). An account has
     * one role per node: giving replaces it. The owner's own id is passed over. At most 1,000 grants on a node (409
     * `conflict`). `changed` names the accounts that have another role here than before. Whether accounts exist is the
     * caller's to know.
     */
    changeGrants: {
      op: 'access.changeGrants',
      method: 'POST',
      path: '/nodes/:id/grants',
      idempotent: true,
      params: NodeParams,
      body: Type.Object(
        {
          give: Type.Array(Type.Object({ accountId: Id, role: GrantRole }, strict), { maxItems: 100 }),
          /** With a role: only where it is this one. */
          take: Type.Array(Type.Object({ accountId: Id, role: Type.Optional(GrantRole) }, strict), { maxItems: 100 }),
          notify: Type.Optional(Type.Boolean()),
          preconditions: Type.Optional(Preconditions),
        },
        strict,
      ),
      response: Type.Object({ node: NodeRecord, changed: Type.Array(Id) }),
    },
    /** What others granted to the caller by name, the latest first; what lies below a shared folder is found through it. */
    listShared: {
      op: 'access.shared',
      method: 'GET',
      path: '/shared',
      idempotent: true,
      query: PageQuery,
      response: NodePage,
    },
    /**
     * For owner and editors, not on a root (403); a drop box is a folder (409 `not_a_folder`). The token is shown here only: what is stored
     * is its hash. At most 100 living links on a node (409 `conflict`).
     */
    createLink: {
      op: 'links.create',
      method: 'POST',
      path: '/nodes/:id/links',
      idempotent: false,
      params: NodeParams,
      body: Type.Object({ role: LinkRole, ...LinkSettings }, strict),
      response: Type.Object({ link: Link, token: Type.String() }),
    },
    /** For owner and editors; the revoked and expired ones too, for 30 days. */
    listLinks: {
      op: 'links.list',
      method: 'GET',
      path: '/nodes/:id/links',
      idempotent: true,
      params: NodeParams,
      response: Type.Object({ items: Type.Array(Link) }),
    },
    updateLink: {
      op: 'links.update',
      method: 'PATCH',
      path: '/links/:linkId',
      idempotent: true,
      params: LinkParams,
      body: Type.Object(LinkSettings, strict),
      response: Link,
    },
    /** Idempotent; event `linkRevoked`. */
    revokeLink: { op: 'links.revoke', method: 'DELETE', path: '/links/:linkId', idempotent: true, params: LinkParams },
    /**
     * What a token opens, at this moment; needs no principal. 404 for an unknown one, 410 `gone` for one that was revoked, has expired,
     * is used up or whose node is not there; 401 `link_password_required` without the password it asks for, 401 `invalid_credentials` for a wrong
     * one, 429 after too many (per link and address).
     */
    openLink: {
      op: 'links.open',
      method: 'POST',
      path: '/links/open',
      idempotent: true,
      body: Type.Object(
        {
          token: Type.String({ minLength: 1, maxLength: 200 }),
          password: Type.Optional(Type.String({ maxLength: 1024 })),
          address: Type.String({ maxLength: 64 }),
        },
        strict,
      ),
      response: Type.Object({ link: Link, node: NodeRecord }),
    },
    /** Counts one download, in one conditional update: never more than `maxDownloads`, whoever races. 410 `gone`. */
    countDownload: {
      op: 'links.count',
      method: 'POST',
      path: '/links/:linkId/downloads',
      idempotent: false,
      params: LinkParams,
    },
    /**
     * Of these links, those that were revoked or are not there any more; needs no principal. For whoever serves transfers through them, since
     * the event may be missed.
     */
    revokedLinks: {
      op: 'links.revoked',
      method: 'POST',
      path: '/links/revoked',
      idempotent: true,
      body: Type.Object({ linkIds: Type.Array(Id, { minItems: 1, maxItems: 1000 }) }, strict),
      response: Type.Object({ linkIds: Type.Array(Id) }),
    },
    /** Signed URLs of the node made until now stop working; for owner and editors. */
    raiseLinkEpoch: {
      op: 'links.raiseEpoch',
      method: 'POST',
      path: '/nodes/:id/link-epoch',
      idempotent: false,
      params: NodeParams,
      response: NodeRecord,
    },
    /** Usage of all accounts together; for operators. */
    getTotals: {
      op: 'usage.totals',
      method: 'GET',
      path: '/usage',
      idempotent: true,
      timeoutMs: 60_000,
      response: Type.Object({
        accounts: Type.Integer(),
        usedBytes: ByteCount,
        limitBytes: Type.Number(),
        files: Type.Integer(),
        folders: Type.Integer(),
      }),
    },
    /** Every file of the caller's tree that is there, in the order of making, each with the names from the root on (its own last). */
    listFiles: {
      op: 'files.list',
      method: 'GET',
      path: '/files',
      idempotent: true,
      query: PageQuery,
      response: Type.Object({
        items: Type.Array(Type.Object({ node: NodeRecord, path: Type.Array(Type.String()) })),
        nextCursor: Type.Union([Type.String(), Type.Null()]),
      }),
    },
    /** The numbers of these nodes of the caller's own tree, given now to those that have none. Never given twice, also not after a deletion. */
    numberNodes: {
      op: 'numbers.give',
      method: 'POST',
      path: '/numbers',
      idempotent: true,
      body: Type.Object({ ids: Type.Array(Id, { minItems: 1, maxItems: 1000 }) }, strict),
      /** In the order of `ids`; null where there is no such node. */
      response: Type.Object({ numbers: Type.Array(Type.Union([Type.Integer({ minimum: 1 }), Type.Null()])) }),
    },
    findByNumber: {
      op: 'numbers.find',
      method: 'GET',
      path: '/numbers/:number',
      idempotent: true,
      params: Type.Object({ number: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) }),
      response: NodeRecord,
    },
    /** 404 where no file has it; 403 `forbidden` where one has, but the caller may not see it. */
    findByIdentifier: {
      op: 'identifiers.find',
      method: 'POST',
      path: '/identifiers/find',
      idempotent: true,
      body: Type.Object({ identifier: Type.String({ minLength: 1, maxLength: 1024 }) }, strict),
      response: NodeRecord,
    },
    /** Published files of everyone, or of one account, that anyone may see at this moment; the latest first. */
    listPublished: {
      op: 'published.list',
      method: 'GET',
      path: '/published',
      idempotent: true,
      query: Type.Object({ ...PageQuery.properties, ownerId: Type.Optional(Id) }),
      response: NodePage,
    },
    /** Into the trash, or gone for good with everything below it (its bytes are given back to the quota when that is done). */
    deleteNode: {
      op: 'nodes.delete',
      method: 'POST',
      path: '/nodes/delete',
      idempotent: false,
      body: Type.Object(
        { ref: NodeRef, permanent: Type.Boolean(), preconditions: Type.Optional(Preconditions) },
        strict,
      ),
    },
    restoreNode: {
      op: 'nodes.restore',
      method: 'POST',
      path: '/nodes/:id/restore',
      idempotent: false,
      params: NodeParams,
      response: NodeRecord,
    },
    /** A folder is copied with all below it; where that is large the answer comes first (`pending: true`) and the rest follows. */
    copyNode: {
      op: 'nodes.copy',
      method: 'POST',
      path: '/nodes/:id/copy',
      idempotent: false,
      params: NodeParams,
      timeoutMs: 30_000,
      body: Type.Object(
        {
          parentId: Type.Union([Id, Type.Literal('root')]),
          name: Type.Optional(Name),
          idempotency: Type.Optional(Idempotency),
        },
        strict,
      ),
      response: Type.Object({ node: NodeRecord, pending: Type.Boolean() }),
    },
    listTrash: {
      op: 'trash.list',
      method: 'GET',
      path: '/trash',
      idempotent: true,
      query: PageQuery,
      response: NodePage,
    },
    /** Everything in it is gone for good; the emptying goes on in the background where it is large. */
    emptyTrash: { op: 'trash.empty', method: 'DELETE', path: '/trash', idempotent: true },
    /**
     * May this be written? Answers before any byte is sent: rights, names, preconditions, space. Nothing is reserved and nothing made;
     * `commitWrite` judges everything again. `availableBytes` is what the quota leaves for new content here.
     */
    prepareWrite: {
      op: 'writes.prepare',
      method: 'POST',
      path: '/writes/prepare',
      idempotent: true,
      body: Type.Object(
        { target: WriteTarget, sizeBytes: Type.Optional(ByteCount), preconditions: Type.Optional(Preconditions) },
        strict,
      ),
      response: Type.Object({ availableBytes: ByteCount }),
    },
    /** Points a node to the content: made (`created`) or replaced, with the quota taken first. 507 `quota_exceeded` leaves nothing behind. */
    commitWrite: {
      op: 'writes.commit',
      method: 'POST',
      path: '/writes',
      idempotent: false,
      body: Write,
      response: Written,
    },
    /** Several of them, each with its own outcome, in order, for those that arrive together. */
    commitMany: {
      op: 'writes.commitMany',
      method: 'POST',
      path: '/writes/many',
      idempotent: false,
      body: Type.Object(
        { parts: Type.Array(Type.Object({ head: PartHead, write: Write }, strict), { minItems: 1, maxItems: 64 }) },
        strict,
      ),
      response: Type.Object({ answers: Type.Array(Type.Union([Written, PartError])) }),
    },
    listVersions: {
      op: 'versions.list',
      method: 'GET',
      path: '/nodes/:id/versions',
      idempotent: true,
      params: NodeParams,
      response: Type.Object({ items: Type.Array(Version) }),
    },
    getVersion: {
      op: 'versions.get',
      method: 'GET',
      path: '/nodes/:id/versions/:vid',
      idempotent: true,
      params: Type.Object({ id: Id, vid: Id }),
      response: Type.Object({ node: NodeRecord, content: Content }),
    },
    restoreVersion: {
      op: 'versions.restore',
      method: 'POST',
      path: '/nodes/:id/versions/:vid/restore',
      idempotent: false,
      params: Type.Object({ id: Id, vid: Id }),
      body: Type.Object({ preconditions: Type.Optional(Preconditions) }, strict),
      response: NodeRecord,
    },
    search: {
      op: 'search.byName',
      method: 'GET',
      path: '/search',
      idempotent: true,
      query: Type.Object({
        ...PageQuery.properties,
        q: Type.String({ minLength: 1, maxLength: 255 }),
        match: Type.Optional(Type.Union([Type.Literal('substring'), Type.Literal('prefix')])),
      }),
      response: NodePage,
    },
    getUsage: {
      op: 'usage.get',
      method: 'GET',
      path: '/usage/:accountId',
      idempotent: true,
      params: Type.Object({ accountId: Id }),
      response: Usage,
    },
    /** By an operator, in place of what the plan gives, until `null` takes it back or the plan changes. */
    setLimit: {
      op: 'usage.setLimit',
      method: 'PUT',
      path: '/usage/:accountId/limit',
      idempotent: true,
      params: Type.Object({ accountId: Id }),
      body: Type.Object({ limitBytes: Type.Union([ByteCount, Type.Null()]) }, strict),
      response: Usage,
    },
    /** Counts the tree anew and answers what was stored beside what was counted; `repair` stores the count. */
    recount: {
      op: 'usage.recount',
      method: 'POST',
      path: '/usage/:accountId/recount',
      idempotent: true,
      params: Type.Object({ accountId: Id }),
      timeoutMs: 600_000,
      body: Type.Object({ repair: Type.Boolean() }, strict),
      response: Type.Object({ stored: Usage, counted: Usage }),
    },
  },
});
