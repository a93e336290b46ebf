import type { FastifyBaseLogger } from 'fastify';
import type { Logger } from './logger.ts';

/**
 * `request.log`: a child logger that is made when something is logged with it, which for most requests is never (the
 * access line is not).
 */
export class RequestLogger {
  readonly #parent: Logger;
  readonly #bindings: Record<string, unknown>;
  #child: Logger | undefined;

  constructor(parent: Logger, bindings: Record<string, unknown>) {
    this.#parent = parent;
    this.#bindings = bindings;
  }

  get #own(): Logger {
    this.#child ??= this.#parent.child(this.#bindings);
    return this.#child;
  }

  get level(): string {
    return this.#parent.level;
  }
  get trace(): FastifyBaseLogger['trace'] {
    return this.#own.trace.bind(this.#own);
  }
  get debug(): FastifyBaseLogger['debug'] {
    return this.#own.debug.bind(this.#own);
  }
  get info(): FastifyBaseLogger['info'] {
    return this.#own.info.bind(this.#own);
  }
  get warn(): FastifyBaseLogger['warn'] {
    return this.#own.warn.bind(this.#own);
  }
  get error(): FastifyBaseLogger['error'] {
    return this.#own.error.bind(this.#own);
  }
  get fatal(): FastifyBaseLogger['fatal'] {
    return this.#own.fatal.bind(this.#own);
  }
  get silent(): FastifyBaseLogger['silent'] {
    return () => {};
  }
  child(bindings: Record<string, unknown>): FastifyBaseLogger {
    return this.#own.child(bindings);
  }
}
