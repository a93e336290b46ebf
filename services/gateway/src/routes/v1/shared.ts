import { appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { decodeName, rawTail } from '../../domain/paths.ts';
import type { App, Gateway } from '../../gateway.ts';
import { linkPassword, type OpenedLink, openLink } from '../../links/open-link.ts';
import { shownLink, shownNode } from '../../links/public-link.ts';
import { deposit, linkChildren, sendLinkArchive, sendLinkContent } from '../../links/serve-link.ts';
import { NoQuery, problems, Strict } from '../schemas.ts';
import { archiveAnswers } from './archives.ts';
import { contentAnswers, Download, isDownload } from './content.ts';
import {
  BelowParams,
  ChildrenQuery,
  Deposited,
  LinkToken,
  ShownLink,
  ShownPage,
  TokenParams,
} from './links-schemas.ts';

const tags = ['links'];
const isPublic = true;

const openerOf =
  (gateway: Gateway) =>
  (request: FastifyRequest<{ Params: { token: string } }>, reply: FastifyReply): Promise<OpenedLink> =>
    openLink(gateway, request, reply, { token: request.params.token, password: linkPassword(request) });

/** What a link gives to whoever has it; nobody logs in here. */
export function sharedReadRoutes(app: App, gateway: Gateway): void {
  const open = openerOf(gateway);
  app.addHook('onRequest', (_request, reply, done) => {
    // The address is the key.
    reply.header('referrer-policy', 'no-referrer');
    done();
  });

  app.get(
    '/v1/links/:token',
    {
      config: { op: 'links.open', isPublic },
      schema: {
        summary: 'What a link leads to; its password goes in `X-Link-Password`, or as Basic with the user `link`',
        tags,
        params: TokenParams,
        querystring: NoQuery,
        response: { 200: ShownLink, ...problems },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      return shownLink(await open(request, reply));
    },
  );

  app.get(
    '/v1/links/:token/children',
    {
      config: { op: 'links.children', isPublic },
      schema: {
        summary: 'What is in the folder, or in one below it',
        tags,
        params: TokenParams,
        querystring: ChildrenQuery,
        response: { 200: ShownPage, ...problems },
      },
    },
    async (request, reply) => {
      reply.header('cache-control', 'no-store');
      const { items, nextCursor } = await linkChildren(gateway, request, await open(request, reply), request.query);
      return { items: items.map(shownNode), nextCursor };
    },
  );

  for (const method of ['GET', 'HEAD'] as const) {
    const suffix = method === 'GET' ? 'get' : 'head';
    const schema = { tags, querystring: Strict({ download: Download }), response: contentAnswers };
    app.route({
      method,
      url: '/v1/links/:token/content',
      exposeHeadRoute: false,
      config: { op: `links.content.${suffix}`, isPublic },
      schema: { ...schema, summary: 'Download the file', params: TokenParams },
      handler: async (request, reply) => {
        const download = isDownload(request.query.download);
        return await sendLinkContent(gateway, request, reply, await open(request, reply), { download });
      },
    });
    app.route({
      method,
      url: '/v1/links/:token/children/:nodeId/content',
      exposeHeadRoute: false,
      config: { op: `links.childContent.${suffix}`, isPublic },
      schema: { ...schema, summary: 'Download a file below the folder', params: BelowParams },
      handler: async (request, reply) => {
        const { nodeId } = request.params;
        const wanted = { nodeId, download: isDownload(request.query.download) };
        return await sendLinkContent(gateway, request, reply, await open(request, reply), wanted);
      },
    });
    app.route({
      method,
      url: '/v1/links/:token/archive',
      exposeHeadRoute: false,
      config: { op: `links.archive.${suffix}`, isPublic },
      schema: {
        summary: 'Download all of it as a zip',
        tags,
        params: TokenParams,
        querystring: NoQuery,
        response: archiveAnswers,
      },
      handler: async (request, reply) => await sendLinkArchive(gateway, request, reply, await open(request, reply)),
    });
  }
}

/** In the scope whose bodies are left alone. */
export function sharedWriteRoute(app: App, gateway: Gateway): void {
  const open = openerOf(gateway);
  app.put(
    '/v1/links/:token/children/:name',
    {
      config: { op: 'links.deposit', continueLater: true, bytes: true, isPublic },
      schema: {
        summary: 'Put a new file into a drop box; where its name is taken it gets another',
        tags,
        params: Strict({ token: LinkToken, name: Type.String() }),
        querystring: NoQuery,
        response: { 201: Deposited, ...problems },
      },
    },
    async (request, reply) => {
      const { 'if-match': ifMatch, 'if-none-match': ifNoneMatch } = request.headers;
      // Either would say whether there is a file of that name.
      if (ifMatch !== undefined || ifNoneMatch !== undefined)
        throw appError('invalid_header', 'A drop box takes no conditions');
      const name = decodeName(
        rawTail(request.originalUrl, `/v1/links/${request.params.token}/children/`) ?? request.params.name,
      );
      const deposited = await deposit(gateway, request, await open(request, reply), name);
      return reply.code(201).send(deposited);
    },
  );
}
