import type { Content, NodeRecord, Version } from '@coffer/contracts';
import { revTag } from './conditions.ts';

/** A node as clients see it: flat, and without where its bytes are. Everything that only a file has is null for a folder. */
export function publicNode(record: NodeRecord) {
  const { content } = record;
  return {
    id: record.id,
    kind: record.kind,
    name: record.name,
    parentId: record.parentId,
    ownerId: record.ownerId,
    size: content?.sizeBytes ?? null,
    mime: content?.mime ?? null,
    etag: content?.etag ?? revTag(record.rev),
    sha256: content?.sha256 ?? null,
    rev: record.rev,
    createdAt: record.createdAt,
    modifiedAt: record.modifiedAt,
    trashedAt: record.trashedAt,
    role: record.role,
    generalAccess: record.generalAccess,
    properties: record.properties,
  };
}

export function publicVersion(version: Version) {
  return {
    id: version.vid,
    size: version.sizeBytes,
    mime: version.mime,
    etag: version.etag,
    sha256: version.sha256 ?? null,
    createdAt: version.at,
    createdBy: version.by,
  };
}

export function publicPage(page: { items: NodeRecord[]; nextCursor: string | null }) {
  return { items: page.items.map(publicNode), nextCursor: page.nextCursor };
}

/** What the header says about a node: its own tag, not its content's. */
export const nodeTag = (record: NodeRecord): string => `"${revTag(record.rev)}"`;

/** First 128 bits of the sha256: strong, and the same for the same bytes. */
export const etagOf = (sha256: string): string => sha256.slice(0, 32);

export type { Content };
