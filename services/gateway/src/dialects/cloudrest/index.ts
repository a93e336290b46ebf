import type { FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { limitAccounts, limitNewAccounts } from '../../rate-limits.ts';
import { type Dialect, leaveBodies, refuseOtherMethods } from '../common/dialect.ts';
import { fieldsOf, takeAnyFields } from '../common/fields.ts';
import { type Accounts, askerOf, createAccounts, MAX_LOGIN } from './accounts.ts';
import { fileRoutes } from './files.ts';
import { clearCookie, createGuard, type Guard, setCookie } from './guard.ts';
import { createPairs } from './pairs.ts';
import { answerErrors, bodies, Refused, sendBody } from './replies.ts';

/** Sign up with a key pair, sign in, files by key. */
export const cloudrest: Dialect = {
  name: 'cloudrest',
  register(app: App, gateway: Gateway): void {
    const accounts = createAccounts(gateway, createPairs(gateway));
    const guard = createGuard(gateway, accounts);
    takeAnyFields(app);
    answerErrors(app, gateway);
    entryRoutes(app, gateway, accounts, guard);
    app.register((closed: App, _options, done) => {
      closed.addHook('onRequest', async (request) => {
        const principal = await guard.whoAsks(request);
        if (principal === undefined) throw new Refused(bodies.unauthorised);
        request.setPrincipal(principal);
      });
      limitAccounts(closed, gateway.config);
      logoutRoute(closed, gateway, guard);
      fileRoutes(closed, gateway);
      done();
    });
    refuseTheRest(app);
  },
};

const bothSpellings = (url: string): string[] => [url, `${url}/`];

function entryRoutes(app: App, gateway: Gateway, accounts: Accounts, guard: Guard): void {
  for (const url of bothSpellings('/api/sign_up')) {
    const onRequest = limitNewAccounts(app, gateway.config);
    app.post(url, { config: { op: 'cloudrest.signUp' }, onRequest }, async (request, reply) => {
      const names = ['login', 'password', 'access_key_id', 'secret_access_key'] as const;
      const [login, password, id, secret] = await required(gateway, request, names);
      setCookie(request, reply, await accounts.signUp(askerOf(request), { login, password }, { id, secret }));
      return sendBody(reply, bodies.entered);
    });
  }
  for (const url of bothSpellings('/api/sign_in')) {
    app.post(url, { config: { op: 'cloudrest.signIn' } }, async (request, reply) => {
      const [login, password] = await required(gateway, request, ['login', 'password'] as const);
      if (await isInAs(request, login)) return sendBody(reply, bodies.alreadyIn);
      setCookie(request, reply, await accounts.signIn(askerOf(request), { login, password }, { reuse: false }));
      return sendBody(reply, bodies.entered);
    });
  }

  /** Someone else's session in the same client is no reason to leave them where they are: the new one takes its place. */
  async function isInAs(request: FastifyRequest, login: string): Promise<boolean> {
    const principal = await guard.byCookie(request);
    if (principal === undefined || login.length > MAX_LOGIN) return false;
    return (await accounts.find(askerOf(request), login))?.id === principal.accountId;
  }
}

/** The fields of these names, in their order; refused where any is not there or empty. */
async function required<const N extends readonly string[]>(
  gateway: Gateway,
  request: FastifyRequest,
  names: N,
): Promise<{ [K in keyof N]: string }> {
  const fields = await fieldsOf(gateway, request);
  const values = names.map((name) => fields[name] ?? '');
  const missing = names.filter((_, at) => values[at] === '');
  if (missing.length > 0) throw new Refused(bodies.missing(missing));
  // One value for each name.
  return values as { [K in keyof N]: string };
}

function logoutRoute(app: App, { auth }: Gateway, guard: Guard): void {
  app.register((inner: App, _options, done) => {
    leaveBodies(inner);
    for (const url of bothSpellings('/api/logout')) {
      inner.post(url, { config: { op: 'cloudrest.logout' } }, async (request, reply) => {
        const { accountId, sessionId } = request.principal();
        const { signal: _, ...call } = request.call;
        if (sessionId !== undefined) {
          await auth.call('endSession', { params: { accountId, sessionId } }, call);
          guard.forget(sessionId);
        }
        clearCookie(reply);
        return sendBody(reply, bodies.left);
      });
    }
    done();
  });
}

function refuseTheRest(app: App): void {
  refuseOtherMethods(
    app,
    {
      '/api/sign_up': ['POST'],
      '/api/sign_up/': ['POST'],
      '/api/sign_in': ['POST'],
      '/api/sign_in/': ['POST'],
      '/api/logout': ['POST'],
      '/api/logout/': ['POST'],
      '/api/files_keys': ['GET'],
      '/api/files_keys/': ['GET'],
      '/api/file/*': ['GET', 'PUT', 'DELETE'],
    },
    { op: 'cloudrest.wrongMethod', answer: (_request, reply) => sendBody(reply, bodies.wrongMethod) },
  );
  // Of `/api/`, which it shares, it answers for what nobody else knows.
  refuseOtherMethods(
    app,
    { '/api': [], '/api/*': [] },
    { op: 'cloudrest.unknown', answer: (_request, reply) => sendBody(reply.removeHeader('allow'), bodies.unknownUrl) },
  );
}
