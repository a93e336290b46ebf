import type { Static, TSchema } from 'typebox';

/** How an endpoint's body or answer travels: as JSON under a schema, as a stream of bytes, or not at all. */
export type Payload = TSchema | 'bytes' | 'none';

/**
 * One internal HTTP endpoint: the single truth from which the server registers its route and the client makes its call.
 * `op` is the stable name in logs and metrics. `idempotent` says that sending it twice has the effect of sending it
 * once, which is what allows the client its one retry on another instance.
 */
export interface Endpoint {
  readonly op: string;
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** With `:name` parameters, each of them a property of `params`. */
  readonly path: string;
  readonly idempotent: boolean;
  readonly params?: TSchema;
  readonly query?: TSchema;
  readonly body?: Payload;
  /** The success answer; absent means 204 with no body. */
  readonly response?: Payload;
  /** How long the client waits for the whole answer (for streams: for its head). Milliseconds; 10,000 if absent. */
  readonly timeoutMs?: number;
}

/** A service's endpoints under its discovery name. */
export interface Contract {
  readonly service: string;
  readonly endpoints: Readonly<Record<string, Endpoint>>;
}

type JsonOf<P> = P extends TSchema ? Static<P> : undefined;
export type ParamsOf<E extends Endpoint> = JsonOf<E['params']>;
export type QueryOf<E extends Endpoint> = JsonOf<E['query']>;
export type BodyOf<E extends Endpoint> = JsonOf<E['body']>;
export type ResponseOf<E extends Endpoint> = E['response'] extends TSchema ? Static<E['response']> : undefined;

/** Keeps the literal types of a contract, which the typed client and server are made from. */
export function contract<const C extends Contract>(definition: C): C {
  return definition;
}
