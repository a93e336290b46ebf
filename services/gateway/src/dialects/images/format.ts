import type { NodeRecord } from '@coffer/contracts';

/** Where an account's pictures lie. */
export const FOLDER = 'Images';

/** Python's ways to write a moment, which this API's clients parse. Microseconds are always written; ours end in zeros. */
const parts = (time: string) => {
  const [date = '', clock = ''] = new Date(time).toISOString().slice(0, -1).split('T');
  return { date, clock: `${clock}000` };
};
export function isoTime(time: string): string {
  const { date, clock } = parts(time);
  return `${date}T${clock}+00:00`;
}
/** Of an upload's answer: with the zone. */
export function zonedTime(time: string): string {
  const { date, clock } = parts(time);
  return `${date} ${clock}+00:00`;
}
/** Of lists: without it, and UTC all the same. */
export function plainTime(time: string): string {
  const { date, clock } = parts(time);
  return `${date} ${clock}`;
}

/**
 * Types by first bytes that are pictures and nothing more, with the extension of their files. SVG is not among them: it is a document that may
 * carry scripts.
 */
const PICTURES: Readonly<Record<string, string>> = {
  'image/jpeg': 'jpg',
  'image/png': 'png',
  'image/apng': 'png',
  'image/gif': 'gif',
  'image/webp': 'webp',
  'image/avif': 'avif',
  'image/bmp': 'bmp',
  'image/tiff': 'tif',
  'image/heic': 'heic',
  'image/heic-sequence': 'heic',
  'image/heif': 'heif',
  'image/heif-sequence': 'heif',
  'image/x-icon': 'ico',
  'image/jxl': 'jxl',
  'image/jp2': 'jp2',
};
export const pictureExtension = (mime: string): string | undefined =>
  Object.hasOwn(PICTURES, mime) ? PICTURES[mime] : undefined;

/** Whether a file may be shown here: what a picture is does not depend on the door that it came in by. */
export const isPicture = (node: NodeRecord): boolean =>
  node.kind === 'file' && pictureExtension((node.content?.mime ?? '').split(';', 1)[0] ?? '') !== undefined;

export const sourceOf = (node: NodeRecord): string => `/api/images/${node.id}`;
const uploadedAt = (node: NodeRecord): string => node.publishedAt ?? node.createdAt;

/** As in `me` and `user`. */
export function listedImage(node: NodeRecord) {
  return {
    description: node.properties.description ?? '',
    id: node.id,
    source: sourceOf(node),
    upload_date: plainTime(uploadedAt(node)),
  };
}

/** As in `feed`. */
export function feedImage(node: NodeRecord) {
  const { id, source, description, upload_date } = listedImage(node);
  return { id, source, description, upload_date };
}

export function uploadedImage(node: NodeRecord, login: string) {
  return { id: node.id, login, source: sourceOf(node), upload_date: zonedTime(uploadedAt(node)) };
}
