import { NOBODY } from '@coffer/contracts';
import { appError, newId } from '@coffer/service-kit';
import { readSignedPath, signPath } from '../../domain/signed-paths.ts';
import { sendArchive } from '../../downloads/send-archive.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { publicUrl } from '../common/dialect.ts';
import { commitFile, leaveFor, receiveForm } from '../common/upload.ts';
import { assetOf, findAsset } from './assets.ts';
import { invalidId, missingField } from './errors.ts';
import { remove, rename } from './folders.ts';
import { requiredField } from './input.ts';
import { sendJson, urlsOf } from './routes.ts';

const VIEW_PURPOSE = 'cloudbox-view';
const VIEW_MS = 10 * 60_000;
interface Params {
  Params: { id?: string };
}

export function fileReadRoutes(app: App, gateway: Gateway): void {
  for (const url of urlsOf('store/files/:id')) {
    app.get<Params>(url, { config: { op: 'cloudbox.file' } }, async (request, reply) => {
      const file = await findAsset(gateway, request, request.params.id, 'file');
      return sendJson(reply, await assetOf(gateway, request, file));
    });
  }

  for (const url of urlsOf('store/files/:id/view')) {
    app.get<Params>(url, { config: { op: 'cloudbox.view' } }, async (request, reply) => {
      const { id, name, linkEpoch = 0 } = await findAsset(gateway, request, request.params.id, 'file');
      const { accountId } = request.principal();
      const facts = { nodeId: id, accountId, expiresAtMs: Date.now() + VIEW_MS, epoch: linkEpoch };
      const signed = signPath(gateway.ctx.internalSecret, VIEW_PURPOSE, facts);
      const path = `/api/v1/store/views/${signed}/${encodeURIComponent(name.toWellFormed())}`;
      return reply.header('cache-control', 'no-store').redirect(`${publicUrl(gateway, request)}${path}`, 302);
    });
  }

  for (const url of urlsOf('store/assets/:id/download')) {
    app.get<Params>(url, { config: { op: 'cloudbox.download' } }, async (request, reply) => {
      const node = await findAsset(gateway, request, request.params.id);
      const { content, name } = node;
      if (content !== undefined) return await sendContent(gateway, request, reply, { content, name, download: true });
      const { name: folderName } = await assetOf(gateway, request, node);
      return await sendArchive(gateway, request, reply, { node, name: folderName });
    });
  }
}

/**
 * What a signed link leads to. It asks for nothing else: whoever it was made for is looked up in it, and whether they may still see the file
 * is judged again.
 */
export function signedViewRoute(app: App, gateway: Gateway): void {
  for (const url of urlsOf('store/views/:signed/:name')) {
    app.get<{ Params: { signed: string } }>(url, { config: { op: 'cloudbox.signedView' } }, async (request, reply) => {
      const facts = readSignedPath(gateway.ctx.internalSecret, VIEW_PURPOSE, request.params.signed);
      if (facts === null) throw appError('invalid_token');
      const { accountId, nodeId, epoch } = facts;
      request.setPrincipal(accountId === NOBODY.accountId ? NOBODY : { accountId, role: 'user', readOnly: true });
      const { content, name, linkEpoch = 0 } = await gateway.nodes({ id: nodeId }, request);
      if (content === undefined || linkEpoch !== epoch) throw invalidId();
      return await sendContent(gateway, request, reply, { content, name, download: false });
    });
  }
}

export function fileWriteRoutes(app: App, gateway: Gateway): void {
  for (const url of [...urlsOf('store/files'), ...urlsOf('store/files/:id')]) {
    app.post<Params>(url, { config: { op: 'cloudbox.upload' } }, async (request, reply) => {
      const folder = await findAsset(gateway, request, request.params.id, 'folder');
      const target = { parent: { id: folder.id }, ifExists: 'rename' as const };
      // Rights and space can be judged before the first byte, under a name that is surely free.
      const maxBytes = await leaveFor(gateway, request, { ...target, name: newId() });
      const { fields, file } = await receiveForm(gateway, request, { filePart: 'file', maxBytes: () => maxBytes });
      if (file === undefined) throw missingField('file is required');
      const name = file.fileName || (fields.name ?? 'file');
      const { node } = await commitFile(gateway, request, {
        target: { ...target, name },
        name,
        file,
        ...(file.mime !== undefined && { mime: file.mime }),
      });
      return sendJson(reply.code(201), await assetOf(gateway, request, node));
    });
  }

  for (const url of urlsOf('store/files/:id')) {
    app.patch<Params>(url, { config: { op: 'cloudbox.renameFile' } }, async (request, reply) => {
      const file = await findAsset(gateway, request, request.params.id, 'file');
      const name = await requiredField(gateway, request, 'name', 'name of the file is required');
      return sendJson(reply, await rename(gateway, request, file, name));
    });
    app.delete<Params>(url, { config: { op: 'cloudbox.deleteFile' } }, async (request, reply) => {
      await remove(gateway, request, await findAsset(gateway, request, request.params.id, 'file'));
      return reply.code(204).send();
    });
  }
}
