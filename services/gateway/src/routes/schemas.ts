import { errorCodes, Id } from '@coffer/contracts';
import Type, { type TProperties, type TSchema } from 'typebox';

// Written with `type` lists and `enum` where a union would read the same: the serialiser is far quicker with these.
export const NullableString = (description?: string) =>
  Type.Unsafe<string | null>({ type: ['string', 'null'], ...(description === undefined ? {} : { description }) });
export const NullableInteger = (description?: string) =>
  Type.Unsafe<number | null>({ type: ['integer', 'null'], ...(description === undefined ? {} : { description }) });
export const OneOf = <const T extends string>(...values: T[]) => Type.Unsafe<T>({ type: 'string', enum: values });
const Strings = Type.Unsafe<Record<string, string>>({ type: 'object', additionalProperties: { type: 'string' } });
const Time = Type.String({ format: 'date-time' });

/** Whatever is not named in it is refused. */
export const Strict = <T extends TProperties>(properties: T, options: object = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options });
export const NoQuery = Strict({});
/** For requests that need no body: none, or an empty object. */
export const NoBody = Type.Union([Strict({}), Type.Null()]);

export const GeneralAccess = Type.Unsafe<'restricted' | 'viewer' | 'editor'>({
  type: 'string',
  enum: ['restricted', 'viewer', 'editor'],
  description: 'What anyone with an account may do here who has the id, and with everything below it',
});

export const Node = Type.Object(
  {
    id: Id,
    kind: OneOf('file', 'folder'),
    name: Type.String(),
    parentId: NullableString('Null for the root'),
    ownerId: Id,
    size: NullableInteger('Bytes; null for a folder'),
    mime: NullableString('Null for a folder'),
    etag: Type.String({
      description:
        "Without quotes. A file's is that of its content; a folder's is `r` and its `rev`, as in the ETag of /v1/nodes/{id}",
    }),
    sha256: NullableString('Hex; null for a folder, and where it is not known'),
    rev: Type.Integer({ description: 'Rises with each change' }),
    createdAt: Time,
    modifiedAt: Time,
    trashedAt: NullableString(),
    role: OneOf('owner', 'editor', 'viewer'),
    generalAccess: GeneralAccess,
    properties: Strings,
  },
  { title: 'Node' },
);

const page = <T extends TSchema>(item: T, title: string) =>
  Type.Object({ items: Type.Array(item), nextCursor: NullableString('Null at the end') }, { title });

export const NodePage = page(Node, 'NodePage');

export const Version = Type.Object(
  {
    id: Id,
    size: Type.Integer(),
    mime: Type.String(),
    etag: Type.String(),
    sha256: NullableString(),
    createdAt: Time,
    createdBy: Id,
  },
  { title: 'Version' },
);
export const VersionPage = page(Version, 'VersionPage');

const accountFields = {
  id: Id,
  username: Type.String(),
  email: NullableString('Null where none was asked for when the account was made'),
  role: OneOf('user', 'operator'),
  createdAt: Time,
};
export const Account = Type.Object(accountFields, { title: 'Account' });

export const Usage = Type.Object(
  {
    usedBytes: Type.Integer(),
    limitBytes: Type.Integer(),
    liveBytes: Type.Integer(),
    trashBytes: Type.Integer(),
    versionBytes: Type.Integer(),
    files: Type.Integer(),
    folders: Type.Integer(),
  },
  { title: 'Usage' },
);

export const AdminAccount = Type.Object(
  { ...accountFields, suspended: Type.Boolean(), usage: Usage },
  { title: 'AdminAccount' },
);
export const AdminAccountPage = page(AdminAccount, 'AdminAccountPage');

export const Session = Type.Object(
  {
    sessionId: Id,
    accessToken: Type.String(),
    tokenType: Type.String({ description: 'Always `Bearer`' }),
    expiresAt: Type.String({ format: 'date-time', description: 'When the access token expires' }),
    refreshToken: Type.String({ description: 'Good for one renewal' }),
  },
  { title: 'Session' },
);
export const SessionPage = page(
  Type.Object(
    {
      id: Id,
      current: Type.Boolean({ description: 'The session that this request was made in' }),
      createdAt: Time,
      lastUsedAt: Time,
      expiresAt: Time,
      address: Type.String(),
      userAgent: Type.String(),
    },
    { title: 'SessionInfo' },
  ),
  'SessionPage',
);

const keyFields = {
  id: Type.String(),
  name: Type.String(),
  access: OneOf('full', 'read-only'),
  createdAt: Time,
  expiresAt: NullableString(),
  door: Type.Optional(
    Type.String({ description: 'The older API through which it was brought in; absent for keys made here' }),
  ),
};
export const KeyPage = page(Type.Object(keyFields, { title: 'Key' }), 'KeyPage');
export const NewKey = Type.Object(
  { ...keyFields, secret: Type.String({ description: 'Shown this once' }) },
  { title: 'NewKey' },
);

export const Problem = Type.Object(
  {
    type: Type.String(),
    title: Type.String(),
    status: Type.Integer(),
    code: Type.Unsafe<string>({
      type: 'string',
      enum: Object.keys(errorCodes),
      description: 'Stable; what programs should look at',
    }),
    detail: Type.String(),
    requestId: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  },
  { title: 'Problem', description: 'RFC 9457' },
);

/** Every route's refusals and failures. */
export const problems = {
  '4xx': {
    description: 'The request cannot be served as it is',
    content: { 'application/problem+json': { schema: Problem } },
  },
  '5xx': { description: 'The service failed', content: { 'application/problem+json': { schema: Problem } } },
} as const;

export const Empty = (description: string) => Type.Unsafe<unknown>({ type: 'null', description });

export const NodeId = Type.Unsafe<string>({
  type: 'string',
  pattern: '^(?:root|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})$',
  description: 'A node, or `root`',
});
export const NodeParams = Strict({ id: NodeId });

export const pageQuery = {
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Items on a page; 100 if not given' })),
  cursor: Type.Optional(
    Type.String({ minLength: 1, maxLength: 2048, description: 'The `nextCursor` of the page before' }),
  ),
};
export const PageQuery = Strict(pageQuery);

/** Bounds are the metadata service's; these keep nonsense out. */
export const Properties = Type.Unsafe<Record<string, string>>({
  type: 'object',
  maxProperties: 64,
  additionalProperties: { type: 'string', maxLength: 4096 },
  description: 'Free-form; at most 64, of 16 KiB in all',
});
export const PropertyChanges = Type.Unsafe<Record<string, string | null>>({
  type: 'object',
  maxProperties: 64,
  additionalProperties: { type: ['string', 'null'], maxLength: 4096 },
  description: 'Merged into what is there; null removes',
});
export const Name = Type.String({ description: '1 to 255 bytes of UTF-8; not `.` or `..`; no `/`' });
