import type { Principal } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import type { App } from './app.ts';
import type { CallOptions } from './client.ts';
import type { ServiceContext } from './context.ts';
import { appError } from './errors.ts';
import { PRINCIPAL_HEADER, verifyPrincipal } from './principal.ts';
import type { RequestState } from './request-state.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route's stable name, in logs and metrics. */
    op?: string;
  }
  interface FastifyInstance {
    /** True where callers must present the internal secret. */
    readonly internal: boolean;
  }
  interface FastifyRequest {
    /** The kit's own; undefined only for what the router refused before any hook. */
    kit: RequestState | undefined;
    readonly traceparent: string;
    /** Who is asking: from the signed header (internal) or as set by the gateway. Throws `unauthorized` where nobody is. */
    principal(): Principal;
    setPrincipal(principal: Principal): void;
    /** Options for calls made on behalf of this request: its id, trace, signal and principal. */
    readonly call: CallOptions;
  }
}

export function decorateRequests(app: App, ctx: ServiceContext): void {
  app.decorateRequest('kit', undefined);
  app.decorateRequest('signal', {
    getter(this: FastifyRequest) {
      return stateOf(this).signal;
    },
  });
  app.decorateRequest('traceparent', {
    getter(this: FastifyRequest) {
      return stateOf(this).traceparent;
    },
  });
  app.decorateRequest('principal', function principal(this: FastifyRequest) {
    const state = stateOf(this);
    if (state.principal) return state.principal;
    if (!app.internal) throw appError('unauthorized');
    state.principal = verifyPrincipal(this.raw.headers[PRINCIPAL_HEADER], ctx.internalSecret);
    return state.principal;
  });
  app.decorateRequest('setPrincipal', function setPrincipal(this: FastifyRequest, principal: Principal) {
    stateOf(this).principal = principal;
  });
  app.decorateRequest('call', {
    getter(this: FastifyRequest): CallOptions {
      const { requestId, traceparent, signal, principal } = stateOf(this);
      if (principal) return { requestId, traceparent, signal, principal };
      if (app.internal && this.raw.headers[PRINCIPAL_HEADER] !== undefined) {
        return { requestId, traceparent, signal, principal: this.principal() };
      }
      return { requestId, traceparent, signal };
    },
  });
}

function stateOf(request: FastifyRequest): RequestState {
  if (!request.kit) throw new Error('This request was refused before it began');
  return request.kit;
}
