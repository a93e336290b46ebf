import Type, { type Static } from 'typebox';

/** Ids are UUIDv7 in their canonical lower-case form. */
export const Id = Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$' });
/** Times travel as ISO 8601 in UTC with milliseconds. */
export const Time = Type.String({ maxLength: 30 });
export const NullableTime = Type.Union([Time, Type.Null()]);
/** Byte counts stay exact to 2^53 − 1. */
export const ByteCount = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
/** sha256 as 64 lower-case hex digits. */
export const Digest = Type.String({ pattern: '^[0-9a-f]{64}$' });

export const Role = Type.Union([Type.Literal('user'), Type.Literal('operator')]);
export type Role = Static<typeof Role>;

/**
 * Who is asking. Made by the gateway from a verified token or key and handed on as a signed header; services trust it
 * because of the signature and never look the account up again.
 */
export const Principal = Type.Object({
  accountId: Id,
  role: Role,
  sessionId: Type.Optional(Id),
  keyId: Type.Optional(Type.String({ maxLength: 128 })),
  /** True for a read-only API key: nothing may be changed with it. */
  readOnly: Type.Boolean(),
  /**
   * Who came by a link, besides (as nobody): what lies at and below the node may be read (`viewer`), or new files put into the folder and
   * nothing else (`dropbox`). The gateway has asked for the link at this very request.
   */
  link: Type.Optional(
    Type.Object({ linkId: Id, nodeId: Id, role: Type.Union([Type.Literal('viewer'), Type.Literal('dropbox')]) }),
  ),
});
export type Principal = Static<typeof Principal>;

/**
 * Who has not said who they are: they see what is open to anyone who has its id, and change nothing. No account has the
 * nil id (RFC 9562, 5.9).
 */
export const NOBODY: Principal = Object.freeze({
  accountId: '00000000-0000-0000-0000-000000000000',
  role: 'user',
  readOnly: true,
});

/** The older APIs, by the names of their plugins, and the pages for browsers. Each is a door to the same accounts and files. */
export const Door = Type.Union([
  Type.Literal('cloudrest'),
  Type.Literal('images'),
  Type.Literal('vertex'),
  Type.Literal('cloudbox'),
  Type.Literal('minobject'),
  Type.Literal('web'),
]);
export type Door = Static<typeof Door>;

/** What the headers of a request would have said, for one of several that travel together in a call. */
export const PartHead = Type.Object({
  requestId: Type.Optional(Type.String({ maxLength: 128 })),
  traceparent: Type.Optional(Type.String({ maxLength: 128 })),
  /** Signed, as in the header. */
  principal: Type.Optional(Type.String({ maxLength: 4096 })),
});
export type PartHead = Static<typeof PartHead>;

/** How one of them failed, with the code and words that a call of its own would have failed with. */
export const PartError = Type.Object({
  error: Type.Object({
    code: Type.String(),
    detail: Type.String(),
    errors: Type.Optional(Type.Array(Type.Object({ path: Type.String(), message: Type.String() }))),
  }),
});
export type PartError = Static<typeof PartError>;

export const PageQuery = Type.Object({
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
});
export type PageQuery = Static<typeof PageQuery>;
