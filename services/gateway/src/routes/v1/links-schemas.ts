import { Id } from '@coffer/contracts';
import Type from 'typebox';
import { NodeId, NullableInteger, NullableString, OneOf, pageQuery, Strict } from '../schemas.ts';

const Time = Type.String({ format: 'date-time' });
const LinkRole = Type.Unsafe<'viewer' | 'dropbox'>({
  type: 'string',
  enum: ['viewer', 'dropbox'],
  description: 'To see what is there, or to put new files into a folder unseen',
});
const nullable = (type: object) => Type.Unsafe<string | null>({ ...type, type: ['string', 'null'] });

const settings = {
  password: Type.Optional(nullable({ minLength: 1, maxLength: 1024, description: 'Asked of whoever has the link' })),
  expiresAt: Type.Optional(nullable({ format: 'date-time' })),
  maxDownloads: Type.Optional(
    Type.Unsafe<number | null>({ type: ['integer', 'null'], minimum: 1, maximum: 1_000_000_000 }),
  ),
  note: Type.Optional(Type.String({ maxLength: 1000, description: 'Shown to whoever has the link' })),
};
export const NewLink = Strict({ role: LinkRole, ...settings }, { title: 'NewLink' });
export const LinkChanges = Strict(settings, {
  title: 'LinkChanges',
  minProperties: 1,
  description: 'What is named is changed; null takes it away',
});

const linkFields = {
  id: Id,
  nodeId: Id,
  role: LinkRole,
  hasPassword: Type.Boolean(),
  expiresAt: NullableString(),
  maxDownloads: NullableInteger('Null: any number'),
  downloads: Type.Integer({ description: 'Answers with bytes in them so far' }),
  downloadsLeft: NullableInteger('Null: any number'),
  note: Type.String(),
  createdBy: Id,
  createdAt: Time,
  revokedAt: NullableString(),
};
export const OwnLink = Type.Object(linkFields, { title: 'Link' });
export const MadeLink = Type.Object(
  {
    ...linkFields,
    token: Type.String(),
    url: Type.String({ description: 'With the token, which is shown this once' }),
  },
  { title: 'MadeLink' },
);
export const OwnLinks = Type.Object({ items: Type.Array(OwnLink) }, { title: 'LinkList' });
export const LinkParams = Strict({ id: NodeId, linkId: Id });

export const LinkToken = Type.String({ minLength: 1, maxLength: 200 });
export const TokenParams = Strict({ token: LinkToken });
export const BelowParams = Strict({ token: LinkToken, nodeId: Id });
export const ShownLink = Type.Object(
  {
    name: Type.String(),
    kind: OneOf('file', 'folder'),
    size: NullableInteger('Bytes; null for a folder'),
    mime: NullableString('Null for a folder'),
    role: LinkRole,
    hasPassword: Type.Boolean(),
    expiresAt: NullableString(),
    note: Type.String(),
    downloadsLeft: NullableInteger('Null: any number'),
  },
  { title: 'SharedLink' },
);
export const ShownPage = Type.Object(
  {
    items: Type.Array(
      Type.Object(
        {
          id: Id,
          kind: OneOf('file', 'folder'),
          name: Type.String(),
          size: NullableInteger('Bytes; null for a folder'),
          mime: NullableString('Null for a folder'),
          etag: NullableString('Without quotes; null for a folder'),
          modifiedAt: Time,
        },
        { title: 'SharedNode' },
      ),
    ),
    nextCursor: NullableString('Null at the end'),
  },
  { title: 'SharedPage' },
);
export const ChildrenQuery = Strict({
  ...pageQuery,
  parent: Type.Optional(Type.Unsafe<string>({ ...Id, description: 'A folder below; the one linked to if not given' })),
});
export const Deposited = Type.Object(
  { name: Type.String({ description: 'As it was sent' }), size: Type.Integer() },
  { title: 'Deposited' },
);

export const NewSignedUrl = Strict(
  {
    method: Type.Optional(OneOf('GET', 'PUT')),
    scope: Type.Optional(
      Type.Unsafe<'content' | 'upload'>({
        type: 'string',
        enum: ['content', 'upload'],
        description: "`content`: to download it (GET); `upload`: to replace the file's content (PUT)",
      }),
    ),
    expiresInSeconds: Type.Integer({ minimum: 1, maximum: 7 * 24 * 3600 }),
  },
  { title: 'NewSignedUrl' },
);
export const SignedUrl = Type.Object(
  { url: Type.String(), method: OneOf('GET', 'PUT'), expiresAt: Time },
  { title: 'SignedUrl' },
);
export const SignedToken = Type.String({ minLength: 1, maxLength: 200 });
export const Uploaded = Type.Object(
  { size: Type.Integer(), etag: Type.String({ description: 'Without quotes' }) },
  { title: 'Uploaded' },
);
