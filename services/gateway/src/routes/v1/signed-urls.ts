import type { NodeRecord } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import { publicUrl } from '../../dialects/common/dialect.ts';
import { contentConditions } from '../../domain/conditions.ts';
import { readSignedPath, signPath } from '../../domain/signed-paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { uploadBody } from '../../uploads/upload.ts';
import { Empty, NodeParams, NoQuery, problems, Strict } from '../schemas.ts';
import { contentAnswers, Download, isDownload } from './content.ts';
import { NewSignedUrl, SignedToken, SignedUrl, Uploaded } from './links-schemas.ts';

const tags = ['links'];
/** Signed with it, so that a URL for one is never one for the other. */
const PURPOSES = { GET: 'v1-content', PUT: 'v1-upload' } as const;
const METHODS = { content: 'GET', upload: 'PUT' } as const;

/** Making and ending them takes the rights on the node that they are to give. */
export function signedUrlRoutes(app: App, gateway: Gateway): void {
  app.post(
    '/v1/nodes/:id/signed-url',
    {
      config: { op: 'signedUrls.create' },
      schema: {
        summary: 'A URL that downloads or replaces the file without credentials, in your name, for a while',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        body: NewSignedUrl,
        response: { 201: SignedUrl, ...problems },
      },
    },
    async (request, reply) => {
      const { scope, expiresInSeconds } = request.body;
      const method = request.body.method ?? METHODS[scope ?? 'content'];
      if (scope !== undefined && METHODS[scope] !== method)
        throw appError('invalid_body', `The scope ${scope} goes with ${METHODS[scope]}`);
      const { id, name, role, content, linkEpoch = 0 } = await gateway.nodes({ id: request.params.id }, request);
      if (content === undefined) throw appError('not_a_file');
      if (method === 'PUT' && role === 'viewer') throw appError('forbidden');
      const expiresAtMs = Date.now() + expiresInSeconds * 1000;
      const facts = { nodeId: id, accountId: request.principal().accountId, expiresAtMs, epoch: linkEpoch };
      const token = signPath(gateway.ctx.internalSecret, PURPOSES[method], facts);
      const path = method === 'GET' ? `${token}/${encodeURIComponent(name.toWellFormed())}` : token;
      const url = `${publicUrl(gateway, request)}/v1/signed/${path}`;
      return reply
        .code(201)
        .header('cache-control', 'no-store')
        .send({ url, method, expiresAt: new Date(expiresAtMs).toISOString() });
    },
  );

  app.post(
    '/v1/nodes/:id/signed-urls/revoke',
    {
      config: { op: 'signedUrls.revoke' },
      schema: {
        summary: 'End all signed URLs of the node that were made until now',
        tags,
        params: NodeParams,
        querystring: NoQuery,
        response: { 204: Empty('Done'), ...problems },
      },
    },
    async (request, reply) => {
      const { signal: _, ...call } = request.call;
      await gateway.metadata.call('raiseLinkEpoch', { params: request.params }, call);
      return reply.code(204).send();
    },
  );
}

/** Nobody logs in here: the URL is the proof. What it proves is who signed it; whether they still may is judged as at any request of theirs. */
export function signedReadRoutes(app: App, gateway: Gateway): void {
  for (const method of ['GET', 'HEAD'] as const) {
    app.route({
      method,
      url: '/v1/signed/:token/:name',
      exposeHeadRoute: false,
      config: { op: method === 'GET' ? 'signed.get' : 'signed.head', isPublic: true },
      schema: {
        summary: method === 'GET' ? 'Download by a signed URL' : 'Headers of such a download',
        tags,
        params: Strict({ token: SignedToken, name: Type.String() }),
        querystring: Strict({ download: Download }),
        response: contentAnswers,
      },
      handler: async (request, reply) => {
        const { content, name } = await signedNode(gateway, request, 'GET');
        if (content === undefined) throw appError('not_a_file');
        const download = isDownload(request.query.download);
        reply.header('referrer-policy', 'no-referrer');
        return await sendContent(gateway, request, reply, { content, name, download });
      },
    });
  }
}

/** In the scope whose bodies are left alone. */
export function signedWriteRoute(app: App, gateway: Gateway): void {
  app.put(
    '/v1/signed/:token',
    {
      config: { op: 'signed.put', continueLater: true, bytes: true, isPublic: true },
      schema: {
        summary: "Replace a file's content by a signed URL",
        tags,
        params: Strict({ token: SignedToken }),
        querystring: NoQuery,
        response: { 200: Uploaded, ...problems },
      },
    },
    async (request, reply) => {
      const { id, name } = await signedNode(gateway, request, 'PUT');
      const conditions = contentConditions(request.headers);
      const { node } = await uploadBody(gateway, request, { target: { node: { id } }, name, conditions });
      const { etag = '', sizeBytes = 0 } = node.content ?? {};
      return reply.header('etag', `"${etag}"`).send({ size: sizeBytes, etag });
    },
  );
}

async function signedNode(
  gateway: Gateway,
  request: FastifyRequest<{ Params: { token: string } }>,
  method: 'GET' | 'PUT',
): Promise<NodeRecord> {
  const facts = readSignedPath(gateway.ctx.internalSecret, PURPOSES[method], request.params.token);
  if (facts === null) throw appError('invalid_token', 'The signature does not hold, or has expired');
  request.setPrincipal({ accountId: facts.accountId, role: 'user', readOnly: method === 'GET' });
  const node = await gateway.nodes({ id: facts.nodeId }, request);
  if ((node.linkEpoch ?? 0) !== facts.epoch) throw appError('gone', 'This URL was revoked');
  return node;
}
