import { fileTypeFromBuffer } from 'file-type';
import mime from 'mime';
import { looksLikeText } from '../domain/media.ts';

const FALLBACK = 'application/octet-stream';
/** Containers that many formats share: here the extension knows better than the first bytes. */
const CONTAINERS = new Set([
  'application/zip',
  'application/xml',
  'application/x-cfb',
  'application/gzip',
  'application/ogg',
]);

/** The media type of a file of which nobody said it: by its first bytes, then by its name. `whole` if `head` is all of it. */
export async function sniffType(head: Buffer, whole: boolean, name: string): Promise<string> {
  const byName = mime.getType(name) ?? undefined;
  // No signature is text: the costly look at the bytes is for the others.
  if (head.length > 0 && looksLikeText(head, whole)) return asText(byName ?? (await byBytes(head)) ?? 'text/plain');
  const found = await byBytes(head);
  return (found !== undefined && CONTAINERS.has(found) ? (byName ?? found) : (found ?? byName)) ?? FALLBACK;
}

async function byBytes(head: Buffer): Promise<string | undefined> {
  if (head.length === 0) return undefined;
  try {
    return (await fileTypeFromBuffer(head))?.mime;
  } catch {
    // Bytes that end within what looked like a header.
    return undefined;
  }
}

const asText = (type: string): string => (type.startsWith('text/') ? `${type}; charset=utf-8` : type);
