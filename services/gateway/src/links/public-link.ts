import type { Link, NodeRecord } from '@coffer/contracts';
import type { OpenedLink } from './open-link.ts';

/** A link as its maker sees it. */
export const ownLink = (link: Link) => ({ ...link, downloadsLeft: downloadsLeft(link) });

/** A link as whoever has it sees it. */
export function shownLink({ link, node }: OpenedLink) {
  const { role, hasPassword, expiresAt, note } = link;
  const { name, kind, content } = node;
  return {
    name,
    kind,
    size: content?.sizeBytes ?? null,
    mime: content?.mime ?? null,
    role,
    hasPassword,
    expiresAt,
    note,
    downloadsLeft: downloadsLeft(link),
  };
}

/** A node below a link: without what says whose it is and who else sees it. */
export const shownNode = ({ id, kind, name, content, modifiedAt }: NodeRecord) => ({
  id,
  kind,
  name,
  size: content?.sizeBytes ?? null,
  mime: content?.mime ?? null,
  etag: content?.etag ?? null,
  modifiedAt,
});

/** Null where they are not limited. */
const downloadsLeft = ({ maxDownloads, downloads }: Link): number | null =>
  maxDownloads === null ? null : Math.max(0, maxDownloads - downloads);
