import { NOBODY } from '@coffer/contracts';
import { appError } from '@coffer/service-kit';
import rateLimit from '@fastify/rate-limit';
import type { onRequestAsyncHookHandler } from 'fastify';
import type { Config } from './config.ts';
import type { App } from './gateway.ts';

// Counted in memory, by each instance for itself: a count that all share would cost a round trip with every request, and what is limited
// here is load, which each instance bears for itself. Attempts to log in are counted for all of them, by the auth service.

const WINDOW_MS = 60_000;
const MAX_COUNTED = 20_000;

/** Requests from one address, on every route of `app` and below. */
export async function limitAddresses(app: App, config: Config): Promise<void> {
  if (config.RATE_LIMITS === 'off') return;
  await app.register(rateLimit, {
    global: false,
    cache: MAX_COUNTED,
    timeWindow: WINDOW_MS,
    max: config.RATE_LIMIT_PER_ADDRESS,
  });
  app.addHook('onRequest', limiter(app, { max: config.RATE_LIMIT_PER_ADDRESS }));
}

/** Requests of one account; after it is known who asks. Those who are nobody are told apart by their addresses. */
export function limitAccounts(app: App, config: Config): void {
  if (config.RATE_LIMITS === 'off') return;
  app.addHook(
    'onRequest',
    limiter(app, {
      max: config.RATE_LIMIT_PER_ACCOUNT,
      keyGenerator: (request) => {
        const { accountId } = request.principal();
        return accountId === NOBODY.accountId ? request.ip : accountId;
      },
    }),
  );
}

export function limitNewAccounts(app: App, config: Config): onRequestAsyncHookHandler[] {
  return config.RATE_LIMITS === 'off' ? [] : [limiter(app, { max: config.RATE_LIMIT_NEW_ACCOUNTS })];
}

function limiter(app: App, options: Parameters<App['createRateLimit']>[0]): onRequestAsyncHookHandler {
  const check = app.createRateLimit(options);
  return async (request) => {
    const state = await check(request);
    if (state.isAllowed || !state.isExceeded) return;
    throw appError('rate_limited', undefined, { headers: { 'retry-after': String(Math.max(1, state.ttlInSeconds)) } });
  };
}
