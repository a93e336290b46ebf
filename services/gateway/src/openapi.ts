import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import Type from 'typebox';
import type { App } from './gateway.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The body is a file's bytes. */
    bytes?: true;
    /** Takes an `Idempotency-Key`. */
    idempotencyKey?: true;
    /** Needs no credentials. */
    isPublic?: true;
  }
}

const description = `Files and folders over plain HTTP.

Log in at \`/v1/sessions\` and send the access token as \`Authorization: Bearer …\`, or make an API key and send it as Bearer
(\`ck_….secret\`) or as HTTP Basic (id and secret). What is refused is answered with a problem document (RFC 9457) whose \`code\` is
stable. Every answer carries \`X-Request-Id\`.`;

const header = (description: string) => Type.Optional(Type.String({ description }));
const WRITE_HEADERS = {
  'If-Match': header('Only if the content that is there has one of these entity tags'),
  'If-None-Match': header('`*`: only if there is nothing yet'),
  'Content-Digest': header('RFC 9530, sha-256 or sha-512; a mismatch stores nothing'),
  'Repr-Digest': header('As Content-Digest'),
  'Content-MD5': header('RFC 1864; a mismatch stores nothing'),
};

/** Collects the routes that are registered after it; registered before all of them. */
export async function describeApi(app: App): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: { title: 'Coffer', version: '1.0.0', description },
      tags: [
        'files',
        'nodes',
        'content',
        'versions',
        'trash',
        'access',
        'links',
        'accounts',
        'sessions',
        'keys',
        'payments',
        'operators',
      ].map((name) => ({ name })),
      components: {
        securitySchemes: {
          bearer: { type: 'http', scheme: 'bearer', description: 'An access token, or an API key as `id.secret`' },
          basic: { type: 'http', scheme: 'basic', description: "An API key's id and secret" },
        },
      },
      security: [{ bearer: [] }, { basic: [] }],
    },
    transformObject: (document) => ('openapiObject' in document ? shareSchemas(document.openapiObject) : {}),
    exposeHeadRoutes: true,
    transform: ({ schema, url, route }) => {
      const { op, bytes, idempotencyKey, isPublic } = route.config ?? {};
      // HEAD of what has a GET is not told; where it is a route of its own, it is.
      const isEcho = route.method === 'HEAD' && op?.endsWith('.head') !== true;
      if (!url.startsWith('/v1/') || op === undefined || isEcho) return { schema: { ...schema, hide: true }, url };
      const form = op === 'nodes.createChild' ? formBody(schema.body) : undefined;
      const headers = {
        ...(idempotencyKey === true && {
          'Idempotency-Key': header('Repeats with the same key have the effect and the answer of one request'),
        }),
        ...(bytes === true && WRITE_HEADERS),
      };
      return {
        url: url.replace('*', ':path'),
        schema: {
          ...schema,
          operationId: op,
          ...(isPublic === true && { security: [] }),
          ...(bytes === true && { body: { content: { '*/*': { schema: { type: 'string', format: 'binary' } } } } }),
          ...(form !== undefined && { body: form }),
          ...(Object.keys(headers).length > 0 && { headers: Type.Object(headers) }),
          ...(url.includes('*') && {
            params: Type.Object({
              path: Type.String({ description: 'Names from the root on; a slash at the end names a folder' }),
            }),
          }),
        },
      };
    },
  });
}

function formBody(body: unknown) {
  const { content } = body as { content: object };
  const form = Type.Object({
    file: Type.Unsafe<unknown>({ type: 'string', format: 'binary' }),
    name: Type.Optional(Type.String({ description: "The file's own name if not given" })),
    properties: Type.Optional(Type.String({ description: 'A JSON object of strings' })),
  });
  return { content: { ...content, 'multipart/form-data': { schema: form } } };
}

/** `/v1/openapi.json`, and `/docs`, which needs nothing from elsewhere. */
export async function serveDocs(app: App): Promise<void> {
  let text: string | undefined;
  app.get('/v1/openapi.json', { config: { op: 'docs.openapi' }, schema: { hide: true } }, async (_request, reply) => {
    text ??= JSON.stringify(app.swagger());
    return reply.type('application/json; charset=utf-8').send(text);
  });
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP:
      "default-src 'self'; base-uri 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; object-src 'none'; frame-ancestors 'none'",
    uiConfig: { docExpansion: 'list', tryItOutEnabled: true, persistAuthorization: false, validatorUrl: null },
    theme: { title: 'Coffer API' },
  });
}

/** Every schema with a title is said once, under `components`, and referred to. Changes `document`. */
function shareSchemas<T extends { components?: unknown; paths?: unknown }>(document: T): T {
  const schemas: Record<string, unknown> = {};
  const visit = (value: unknown): unknown => {
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return value.map(visit);
    const visited = Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, visit(inner)]));
    const { title, type } = visited;
    if (typeof title !== 'string' || type !== 'object') return visited;
    schemas[title] = visited;
    return { $ref: `#/components/schemas/${title}` };
  };
  const paths = visit(document.paths);
  return Object.assign(document, { paths, components: { ...Object(document.components), schemas } });
}
