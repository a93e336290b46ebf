import type { BodyOf, Contract, Endpoint, ParamsOf, QueryOf, ResponseOf } from '@coffer/contracts';
import type { FastifyReply, FastifyRequest, FastifySchema } from 'fastify';
import type { App } from './app.ts';

export interface HandlerInput<E extends Endpoint> {
  params: ParamsOf<E>;
  query: QueryOf<E>;
  /** Undefined for `bytes`: the handler reads `request.raw`. */
  body: BodyOf<E>;
}
export type Handler<E extends Endpoint> = (
  input: HandlerInput<E>,
  request: FastifyRequest,
  reply: FastifyReply,
) => Promise<Result<E>>;
/** Without a JSON answer it does not matter what a handler returns. */
type Result<E extends Endpoint> = E extends { response: object } ? ResponseOf<E> : unknown;

/**
 * Registers an endpoint of a contract: its method, path, schemas and `op`. The handler's result is the JSON answer; an
 * endpoint without a response answers 204. For `bytes` answers the handler sends on `reply` by itself. A `bytes` body is
 * not parsed and not limited here: the handler counts.
 */
export function serve<C extends Contract, N extends keyof C['endpoints'] & string>(
  app: App,
  contract: C,
  name: N,
  handler: Handler<C['endpoints'][N]>,
): void {
  const endpoint: Endpoint | undefined = contract.endpoints[name];
  if (!endpoint) throw new Error(`${contract.service} has no endpoint ${name}`);
  const { method, path, op, body, response } = endpoint;
  const register = (scope: App): void => {
    scope.route({
      method,
      url: path,
      schema: schemaOf(endpoint),
      config: { op },
      handler: async (request, reply) => {
        // Validated against the very schemas that these types are derived from.
        const input = { params: request.params, query: request.query, body: request.body } as HandlerInput<
          C['endpoints'][N]
        >;
        const result = await handler(input, request, reply);
        if (response === 'bytes') return reply;
        if (response === undefined || response === 'none') return reply.code(204).send();
        return result;
      },
    });
  };
  if (body !== 'bytes') {
    register(app);
    return;
  }
  app.register((scope: App, _options, ready) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
    register(scope);
    ready();
  });
}

function schemaOf({ params, query, body }: Endpoint): FastifySchema {
  const schema: FastifySchema = {};
  if (params) schema.params = params;
  if (query) schema.querystring = query;
  if (typeof body === 'object') schema.body = body;
  return schema;
}
