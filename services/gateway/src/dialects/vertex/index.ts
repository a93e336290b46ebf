import type { FastifyReply, FastifyRequest } from 'fastify';
import { type Dialect, refusalOf, refuseOtherMethods } from '../common/dialect.ts';
import { takeAnyFields } from '../common/fields.ts';
import { leavingRoutes, logInRoutes, signUpRoute } from './accounts.ts';
import { Refusal, sendFailure, sendJson } from './errors.ts';
import { fileRoutes } from './files.ts';
import { healthRoute } from './health.ts';
import { mediaRoute } from './media.ts';
import { createFileRoute } from './upload.ts';

/** Session keys in fields, files by number, HTTP 200 for whatever the document has an answer to. */
export const vertex: Dialect = {
  name: 'vertex',
  ownsRoot: true,
  register(app, gateway) {
    app.setErrorHandler((error, request, reply) =>
      error instanceof Refusal
        ? sendJson(reply.code(200), error.body)
        : sendFailure(refusalOf(gateway, error, request), reply),
    );
    takeAnyFields(app);
    healthRoute(app);
    signUpRoute(app, gateway);
    logInRoutes(app, gateway);
    createFileRoute(app, gateway);
    fileRoutes(app, gateway);
    leavingRoutes(app, gateway);
    mediaRoute(app, gateway);
    refuseOtherMethods(app, { ...slashed(POSTED, 'POST'), ...slashed(['/get/file'], 'GET'), ...READ }, OTHERS);
    refuseOtherMethods(app, { ...slashed(CHANGED_BY_GET, 'GET'), ...slashed(LEAVING, 'GET', 'POST') }, NO_HEAD);
  },
};

const POSTED = ['/signup', '/login', '/token', '/create/file', '/get/files'];
const READ = { '/': ['GET' as const], '/media/:proof/:name': ['GET' as const] };
const CHANGED_BY_GET = ['/delete/file'];
const LEAVING = ['/clear/session', '/delete/user'];

function slashed<M extends string>(paths: readonly string[], ...methods: M[]): Record<string, M[]> {
  return Object.fromEntries(paths.flatMap((path) => [path, `${path}/`]).map((path) => [path, methods]));
}

const OTHERS = {
  op: 'vertex.refuse',
  answer: (_request: FastifyRequest, reply: FastifyReply) =>
    sendJson(reply.code(405), { status: false, message: 'Method Not Allowed' }),
};
/** GET changes something here: HEAD, which is meant to look and no more (RFC 9110, 9.3.2), is not taken. */
const NO_HEAD = {
  ...OTHERS,
  answer: (request: FastifyRequest, reply: FastifyReply) =>
    OTHERS.answer(request, reply.header('allow', String(reply.getHeader('allow')).replace(', HEAD', ''))),
};
