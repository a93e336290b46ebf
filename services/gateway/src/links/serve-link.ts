import type { NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { sendArchive } from '../downloads/send-archive.ts';
import { sendContent } from '../downloads/send-content.ts';
import type { Gateway } from '../gateway.ts';
import { uploadBody } from '../uploads/upload.ts';
import type { OpenedLink } from './open-link.ts';

/** A page of a folder, as metadata answers it. */
export interface Children {
  readonly items: NodeRecord[];
  readonly nextCursor: string | null;
}

/** Throws `forbidden` where a link is not to be read through. */
export function demandViewer({ link }: OpenedLink): void {
  if (link.role !== 'viewer') throw appError('forbidden', 'This link takes files and shows none');
}

/** Throws `forbidden` where nothing can be put in. */
export function demandDropBox({ link }: OpenedLink): void {
  if (link.role !== 'dropbox') throw appError('forbidden', 'This link takes no files');
}

/** A file that the link leads to, or one below the folder that it leads to. Each answer with bytes in it is counted, whatever its range. */
export async function sendLinkContent(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  opened: OpenedLink,
  { nodeId, download }: { nodeId?: string; download: boolean },
): Promise<FastifyReply> {
  demandViewer(opened);
  const { content, name } = nodeId === undefined ? opened.node : await gateway.nodes({ id: nodeId }, request);
  if (content === undefined) throw appError('not_a_file');
  const beforeBytes = () => countDownload(gateway, request, opened);
  return await sendContent(gateway, request, reply, { content, name, download, beforeBytes });
}

export async function sendLinkArchive(
  gateway: Gateway,
  request: FastifyRequest,
  reply: FastifyReply,
  opened: OpenedLink,
): Promise<FastifyReply> {
  demandViewer(opened);
  const { node } = opened;
  const beforeBytes = () => countDownload(gateway, request, opened);
  return await sendArchive(gateway, request, reply, { node, name: node.name, beforeBytes });
}

export async function linkChildren(
  gateway: Gateway,
  request: FastifyRequest,
  opened: OpenedLink,
  { parent, ...query }: { parent?: string | undefined; limit?: number; cursor?: string },
): Promise<Children> {
  demandViewer(opened);
  const params = { id: parent ?? opened.node.id };
  return await gateway.metadata.call('listChildren', { params, query }, request.call);
}

/** Where a file goes that is put into a drop box: never over what is there. */
export const depositTarget = ({ node }: OpenedLink, name: string) =>
  ({ parent: { id: node.id }, name, ifExists: 'rename' }) as const;

/**
 * The request's body as a new file in the drop box. Answers its size and the name that it was sent under: the one that it got would tell
 * whether that was taken.
 */
export async function deposit(
  gateway: Gateway,
  request: FastifyRequest,
  opened: OpenedLink,
  name: string,
): Promise<{ name: string; size: number }> {
  demandDropBox(opened);
  const { node } = await uploadBody(gateway, request, { target: depositTarget(opened, name), name });
  return { name, size: node.content?.sizeBytes ?? 0 };
}

/** Not called off: what is counted here was asked for. */
async function countDownload({ metadata }: Gateway, request: FastifyRequest, { link }: OpenedLink): Promise<void> {
  const { signal: _, ...call } = request.call;
  await metadata.call('countDownload', { params: { linkId: link.id } }, call);
}
