import { Id } from '@coffer/contracts';
import { appError, isAppError, newId, toAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type from 'typebox';
import { refusalOf } from '../dialects/common/dialect.ts';
import { fieldsOf, isMultipart, takeAnyFields } from '../dialects/common/fields.ts';
import { commitFile, leaveFor, receiveForm } from '../dialects/common/upload.ts';
import { checkName } from '../domain/paths.ts';
import type { App, Gateway } from '../gateway.ts';
import { type OpenedLink, openLink } from '../links/open-link.ts';
import { keepPassword, keptPassword } from '../links/password-cookie.ts';
import { demandDropBox, depositTarget, linkChildren, sendLinkArchive, sendLinkContent } from '../links/serve-link.ts';
import { dropBoxPage, filePage, folderPage, passwordPage, refusalPage, type Shelf } from '../pages/link.ts';
import { sendPage } from '../pages/page.ts';
import { Strict } from './schemas.ts';
import { Download, isDownload } from './v1/content.ts';
import { BelowParams, TokenParams } from './v1/links-schemas.ts';

type LinkRequest = FastifyRequest<{ Params: { token: string } }>;
const PageQuery = Strict({
  parent: Type.Optional(Id),
  cursor: Type.Optional(Type.String({ minLength: 1, maxLength: 2048 })),
  received: Type.Optional(Type.Literal('')),
});

/** What a link shows to a browser, without JavaScript: the same as `/v1/links/{token}`, with the password in a form and then in a cookie. */
export function linkPageRoutes(app: App, gateway: Gateway): void {
  const open = async (request: LinkRequest, reply: FastifyReply): Promise<OpenedLink> => {
    const { token } = request.params;
    return await openLink(gateway, request, reply, { token, password: keptPassword(gateway, request, token) });
  };

  takeAnyFields(app);
  app.addHook('onRequest', (_request, reply, done) => {
    // The address is the key.
    reply.header('referrer-policy', 'no-referrer');
    done();
  });
  app.setErrorHandler((error, request, reply) => refuse(gateway, error, request, reply));

  app.get(
    '/l/:token',
    { config: { op: 'linkPage.show' }, schema: { params: TokenParams, querystring: PageQuery } },
    async (request, reply) => {
      const opened = await open(request, reply);
      const at = addressOf(request);
      if (opened.link.role === 'dropbox')
        return sendPage(reply, dropBoxPage(opened, at, request.query.received !== undefined));
      if (opened.node.kind === 'file') return sendPage(reply, filePage(opened, at));
      return sendPage(reply, folderPage(opened, await shelfOf(gateway, request, opened, request.query), at));
    },
  );

  app.post(
    '/l/:token',
    { config: { op: 'linkPage.password', continueLater: 'forms' }, schema: { params: TokenParams } },
    async (request, reply) => {
      const { token } = request.params;
      const { password = '' } = await fieldsOf(gateway, request);
      await openLink(gateway, request, reply, { token, password });
      keepPassword(gateway, request, reply, { token, password });
      return reply.header('cache-control', 'no-store').redirect(addressOf(request)(''), 303);
    },
  );

  app.post(
    '/l/:token/files',
    { config: { op: 'linkPage.deposit', continueLater: 'forms' }, schema: { params: TokenParams } },
    async (request, reply) => {
      const opened = await open(request, reply);
      demandDropBox(opened);
      if (!isMultipart(request)) throw appError('unsupported_media_type', 'A file is sent as a form');
      await receiveFile(gateway, request, opened);
      return reply.header('cache-control', 'no-store').redirect(addressOf(request)('?received'), 303);
    },
  );

  for (const method of ['GET', 'HEAD'] as const) {
    const querystring = Strict({ download: Download });
    app.route({
      method,
      url: '/l/:token/content',
      exposeHeadRoute: false,
      config: { op: 'linkPage.content' },
      schema: { params: TokenParams, querystring },
      handler: async (request, reply) => {
        const download = isDownload(request.query.download);
        return await sendLinkContent(gateway, request, reply, await open(request, reply), { download });
      },
    });
    app.route({
      method,
      url: '/l/:token/children/:nodeId/content',
      exposeHeadRoute: false,
      config: { op: 'linkPage.childContent' },
      schema: { params: BelowParams, querystring },
      handler: async (request, reply) => {
        const wanted = { nodeId: request.params.nodeId, download: isDownload(request.query.download) };
        return await sendLinkContent(gateway, request, reply, await open(request, reply), wanted);
      },
    });
    app.route({
      method,
      url: '/l/:token/archive',
      exposeHeadRoute: false,
      config: { op: 'linkPage.archive' },
      schema: { params: TokenParams },
      handler: async (request, reply) => await sendLinkArchive(gateway, request, reply, await open(request, reply)),
    });
  }
}

const addressOf =
  ({ params }: LinkRequest) =>
  (tail: string): string =>
    `/l/${encodeURIComponent(params.token)}${tail}`;

async function shelfOf(
  gateway: Gateway,
  request: FastifyRequest,
  opened: OpenedLink,
  { parent, cursor }: { parent?: string; cursor?: string },
): Promise<Shelf> {
  const isTop = parent === undefined || parent === opened.node.id;
  const folder = isTop ? opened.node : await gateway.nodes({ id: parent }, request);
  const page = await linkChildren(gateway, request, opened, { parent: folder.id, ...(cursor && { cursor }) });
  return { ...page, folder, isTop };
}

async function receiveFile(gateway: Gateway, request: FastifyRequest, opened: OpenedLink): Promise<void> {
  // Rights and space can be judged before the first byte, under a name that is surely free.
  const maxBytes = await leaveFor(gateway, request, depositTarget(opened, newId()));
  const { file } = await receiveForm(gateway, request, { filePart: 'file', maxBytes: () => maxBytes });
  if (file === undefined || file.fileName === '') throw appError('invalid_body', 'No file was chosen');
  // Some browsers send a path.
  const name = file.fileName.slice(file.fileName.lastIndexOf('/') + 1);
  checkName(name);
  await commitFile(gateway, request, {
    target: depositTarget(opened, name),
    name,
    file,
    ...(file.mime !== undefined && { mime: file.mime }),
  });
}

/** Every refusal as a page; the one place for them. */
function refuse(gateway: Gateway, error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const refusal = refusalOf(gateway, error, request);
  const { status, code, title, detail, headers = {} } = toAppError(refusal);
  const { token = '' } = request.params as { token?: string };
  const at = (tail: string): string => `/l/${encodeURIComponent(token)}${tail}`;
  // A browser would ask in a window of its own, under the name of a user.
  const { 'www-authenticate': _, ...others } = headers;
  reply.headers(others);
  if (code === 'link_password_required') return sendPage(reply, passwordPage(at));
  if (isAppError(refusal, 'invalid_credentials')) {
    const isForm = request.routeOptions.config.op === 'linkPage.password';
    return sendPage(reply, passwordPage(at, isForm ? 'That is not the password.' : undefined));
  }
  if (code === 'not_found' || code === 'gone')
    return sendPage(reply, refusalPage(status, 'Not there', 'This link, or what it led to, is not there any more.'));
  return sendPage(reply, refusalPage(status, title, detail));
}
