import type { Readable } from 'node:stream';
import type { BodyOf, Contract, Endpoint, ParamsOf, Principal, QueryOf, ResponseOf } from '@coffer/contracts';
import type { Dispatcher } from 'undici';
import { type ClientHandler, type Exchange, JsonExchange, type Opened, StreamExchange } from './client-exchange.ts';
import { createPeers, type Peer } from './client-peers.ts';
import type { ServiceContext } from './context.ts';
import { type AppError, appError } from './errors.ts';
import { signPrincipal } from './principal.ts';
import { RelayExchange } from './relay-exchange.ts';

const DEFAULT_TIMEOUT_MS = 10_000;

export interface CallOptions {
  /** Its abort ends the call at once, on the other side too; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  requestId?: string | undefined;
  traceparent?: string | undefined;
  principal?: Principal | undefined;
  /** Overrides the endpoint's; 0 waits without limit. */
  timeoutMs?: number | undefined;
}

type Json<P> = P extends 'bytes' | 'none' ? undefined : P;
// Optional members may be given as undefined, so that callers need not build their queries piece by piece.
type Loose<T> = { [K in keyof T]: Record<never, never> extends Pick<T, K> ? T[K] | undefined : T[K] };
type ParamsPart<E extends Endpoint> = E extends { params: object } ? { params: ParamsOf<E> } : { params?: undefined };
type QueryPart<E extends Endpoint> = E extends { query: object }
  ? Record<never, never> extends QueryOf<E>
    ? { query?: Loose<QueryOf<E>> | undefined }
    : { query: Loose<QueryOf<E>> }
  : { query?: undefined };
type BodyPart<E extends Endpoint> = E extends { body: object } ? { body: BodyOf<E> } : { body?: undefined };
export type CallInput<E extends Endpoint> = ParamsPart<E> & QueryPart<E> & BodyPart<E>;
type Answer<E extends Endpoint> = Json<E['response']> extends undefined ? undefined : ResponseOf<E>;

/** Bytes up. A Readable is read once; without `contentLength` it is sent in chunks. */
export type SendInput<E extends Endpoint> = ParamsPart<E> &
  QueryPart<E> & { body: Readable | Buffer; contentLength?: number | undefined };

export interface Client<C extends Contract> {
  /** JSON up and down. Rejects with the AppError that the other side raised, `unavailable`, `timeout` or the abort's reason. */
  call<N extends keyof C['endpoints'] & string>(
    name: N,
    input: CallInput<C['endpoints'][N]>,
    o?: CallOptions,
  ): Promise<Answer<C['endpoints'][N]>>;
  /** Bytes up, JSON down; sent exactly once. */
  send<N extends keyof C['endpoints'] & string>(
    name: N,
    input: SendInput<C['endpoints'][N]>,
    o?: CallOptions,
  ): Promise<Answer<C['endpoints'][N]>>;
  /** Bytes down. The body must be read or destroyed. */
  open<N extends keyof C['endpoints'] & string>(
    name: N,
    input: CallInput<C['endpoints'][N]>,
    o?: CallOptions,
  ): Promise<Opened>;
  /** As `open`, for many bytes that are piped on: over a connection of its own, and with little work for each of them. */
  relay<N extends keyof C['endpoints'] & string>(
    name: N,
    input: CallInput<C['endpoints'][N]>,
    o?: CallOptions,
  ): Promise<Opened>;
}

type Name<C extends Contract> = keyof C['endpoints'] & string;
interface Outgoing {
  path: string;
  method: Endpoint['method'];
  headers: Record<string, string>;
  body: Readable | Buffer | string | null;
}
/** Begins an exchange with an instance. */
type Begin<T> = (peer: Peer, outgoing: Outgoing, signal: AbortSignal | undefined, timeoutMs: number) => Exchange<T>;

interface Plan {
  endpoint: Endpoint;
  /** Literal parts and names of parameters, in turn. */
  parts: string[];
}

interface RawInput {
  params?: Record<string, unknown> | undefined;
  query?: Record<string, unknown> | undefined;
  body?: unknown;
  contentLength?: number | undefined;
}

/**
 * The typed client of a contract. It finds the service's instances on the bus (or talks to `address` only) and sends to
 * the less busy of two. An idempotent call whose connection failed is sent once more, to another instance if there is
 * one; any call is, when its connection could not even be made.
 */
export function createClient<C extends Contract>(
  ctx: ServiceContext,
  contract: C,
  o: { address?: string } = {},
): Client<C> {
  const { service } = contract;
  const peers = createPeers(ctx, service, o.address);
  const plans = new Map(Object.entries(contract.endpoints).map(([name, endpoint]) => [name, planOf(endpoint)]));

  const planFor = (name: string): Plan => {
    const plan = plans.get(name);
    if (!plan) throw new Error(`${service} has no endpoint ${name}`);
    return plan;
  };

  const wait = (limitMs: number, { signal }: CallOptions): Promise<Peer | undefined> => peers.wait(limitMs, signal);

  const headersFor = (options: CallOptions): Record<string, string> => {
    const headers: Record<string, string> = { 'x-coffer-secret': ctx.internalSecret };
    if (options.requestId !== undefined) headers['x-request-id'] = options.requestId;
    if (options.traceparent !== undefined) headers.traceparent = options.traceparent;
    if (options.principal) headers['x-coffer-principal'] = signPrincipal(options.principal, ctx.internalSecret);
    return headers;
  };

  /** One to two exchanges. */
  const exchange = async <T>(
    plan: Plan,
    options: CallOptions,
    mayRepeat: { unsent: boolean; lost: boolean },
    begin: Begin<T>,
    input: RawInput,
  ): Promise<T> => {
    const { endpoint } = plan;
    const limitMs = options.timeoutMs ?? endpoint.timeoutMs ?? DEFAULT_TIMEOUT_MS;
    const startedAt = limitMs === 0 ? 0 : performance.now();
    const path = pathOf(plan, input);
    const headers = headersFor(options);
    const { body } = input;
    if (endpoint.body === 'bytes') {
      headers['content-type'] = 'application/octet-stream';
      if (input.contentLength !== undefined) headers['content-length'] = String(input.contentLength);
    } else if (body !== undefined) headers['content-type'] = 'application/json';
    const payload =
      endpoint.body === 'bytes' ? (body as Readable | Buffer) : body === undefined ? null : JSON.stringify(body);

    let failed: { peer: Peer; same: Peer | undefined; error: AppError } | undefined;
    for (;;) {
      options.signal?.throwIfAborted();
      const peer = failed ? (peers.pick(failed.peer) ?? failed.same) : (peers.pick() ?? (await wait(limitMs, options)));
      if (!peer) throw failed?.error ?? appError('unavailable', 'A part of the service is away');
      // What the first exchange took is gone; at least a moment is left for the second.
      const leftMs = limitMs === 0 ? 0 : Math.max(1, limitMs - (performance.now() - startedAt));
      const one = begin(peer, { path, method: endpoint.method, headers, body: payload }, options.signal, leftMs);
      peer.inFlight++;
      try {
        return await one.result;
      } catch (error) {
        if (one.outcome === 'answered' || one.outcome === 'ended') throw error;
        peers.failed(peer);
        const again = !failed && (one.outcome === 'unsent' ? mayRepeat.unsent : mayRepeat.lost);
        const mapped = appError('unavailable', 'A part of the service is away', { cause: error });
        if (!again) throw mapped;
        // A broken connection says little about the instance; where none could be made, it is not worth a second try.
        failed = { peer, same: one.outcome === 'lost' ? peer : undefined, error: mapped };
      } finally {
        peer.inFlight--;
      }
    }
  };

  // What the other side answers was built from the same contract, so that its type is the endpoint's.
  return {
    call: <N extends Name<C>>(name: N, input: RawInput, options: CallOptions = {}) => {
      const plan = planFor(name);
      const begin: Begin<Answer<C['endpoints'][N]>> = (peer, outgoing, signal, timeoutMs) =>
        dispatch(peer.calls(), outgoing, new JsonExchange<Answer<C['endpoints'][N]>>(signal, timeoutMs));
      return exchange(plan, options, { unsent: true, lost: plan.endpoint.idempotent }, begin, input);
    },
    send: <N extends Name<C>>(name: N, input: RawInput, options: CallOptions = {}) => {
      const begin: Begin<Answer<C['endpoints'][N]>> = (peer, outgoing, signal, timeoutMs) =>
        dispatch(peer.streams(), outgoing, new JsonExchange<Answer<C['endpoints'][N]>>(signal, timeoutMs));
      return exchange(planFor(name), options, { unsent: Buffer.isBuffer(input.body), lost: false }, begin, input);
    },
    open: (name, input, options = {}) => {
      const plan = planFor(name);
      const begin: Begin<Opened> = (peer, outgoing, signal, timeoutMs) =>
        dispatch(peer.streams(), outgoing, new StreamExchange(signal, timeoutMs));
      return exchange(plan, options, { unsent: true, lost: plan.endpoint.idempotent }, begin, input);
    },
    relay: (name, input, options = {}) => {
      const plan = planFor(name);
      const begin: Begin<Opened> = (peer, outgoing, signal, timeoutMs) => {
        const one = new RelayExchange(signal, timeoutMs);
        one.start(peer.address, outgoing);
        return one;
      };
      return exchange(plan, options, { unsent: true, lost: plan.endpoint.idempotent }, begin, input);
    },
  };
}

function dispatch<E extends Exchange<unknown> & { handler: ClientHandler }>(
  pool: Dispatcher,
  request: Dispatcher.DispatchOptions,
  one: E,
): E {
  try {
    pool.dispatch(request, one.handler);
  } catch (error) {
    // Thrown before it began, as for a pool that closes: the exchange has to know, or its timer would fire later.
    one.handler.onResponseError(undefined, error instanceof Error ? error : new Error(String(error)));
  }
  return one;
}

function planOf(endpoint: Endpoint): Plan {
  return { endpoint, parts: endpoint.path.split(/:([A-Za-z0-9_]+)/) };
}

function pathOf({ parts }: Plan, { params, query }: RawInput): string {
  let path = parts[0] ?? '';
  for (let i = 1; i < parts.length; i += 2) {
    path += encodeURIComponent(String(params?.[parts[i] ?? ''])) + (parts[i + 1] ?? '');
  }
  if (!query) return path;
  let separator = '?';
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    path += `${separator}${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`;
    separator = '&';
  }
  return path;
}
