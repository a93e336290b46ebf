import { createApp, type ServiceContext } from '@coffer/service-kit';
import cors from '@fastify/cors';
import { authenticate, challengeRefused } from './auth/authenticate.ts';
import { type Config, listOf } from './config.ts';
import { openDoor } from './dialects/common/dialect.ts';
import { DIALECTS } from './dialects/index.ts';
import { routableTarget } from './domain/paths.ts';
import type { App, Gateway } from './gateway.ts';
import { takeJson } from './json.ts';
import { describeApi, serveDocs } from './openapi.ts';
import { pageRoutes } from './pages/index.ts';
import { limitAccounts, limitAddresses } from './rate-limits.ts';
import { healthRoutes } from './routes/health.ts';
import { linkPageRoutes } from './routes/link-page.ts';
import { accessRoutes } from './routes/v1/access.ts';
import { meRoutes, newAccountRoute } from './routes/v1/accounts.ts';
import { adminRoutes } from './routes/v1/admin/index.ts';
import { archiveRoutes } from './routes/v1/archives.ts';
import { childrenRoute, newChildRoute } from './routes/v1/children.ts';
import { contentReadRoutes, contentWriteRoutes } from './routes/v1/content.ts';
import { fileReadRoutes, fileWriteRoute } from './routes/v1/files.ts';
import { keyRoutes } from './routes/v1/keys.ts';
import { linkRoutes } from './routes/v1/links.ts';
import { nodeRoutes } from './routes/v1/nodes.ts';
import { paymentRoutes, plansRoute } from './routes/v1/payments.ts';
import { searchRoute } from './routes/v1/search.ts';
import { loginRoutes, sessionRoutes } from './routes/v1/sessions.ts';
import { sharedReadRoutes, sharedWriteRoute } from './routes/v1/shared.ts';
import { signedReadRoutes, signedUrlRoutes, signedWriteRoute } from './routes/v1/signed-urls.ts';
import { trashRoutes } from './routes/v1/trash.ts';
import { usageRoute } from './routes/v1/usage.ts';
import { versionRoutes } from './routes/v1/versions.ts';
import { webhookRoute } from './routes/v1/webhooks.ts';
import { welcomeRoute } from './routes/welcome.ts';
import { handleExpectations } from './uploads/expect.ts';
import { refuseOddTargets, refuseSlowBodies } from './uploads/limits.ts';
import { lingerOnRefusal } from './uploads/linger.ts';

const JSON_LIMIT_BYTES = 1024 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;
const HEADERS_TIMEOUT_MS = 15_000;

/** The public app; it does not listen yet. */
export async function createGatewayApp(
  ctx: ServiceContext,
  gateway: Gateway,
  isReady: () => Promise<boolean>,
): Promise<App> {
  const { config } = gateway;
  const spoken = listOf(config.DIALECTS);
  const dialects = DIALECTS.filter(({ name }) => spoken.includes(name));
  const proxies = listOf(config.TRUST_PROXY);
  const app = createApp(ctx, {
    internal: false,
    fastify: {
      bodyLimit: JSON_LIMIT_BYTES,
      exposeHeadRoutes: true,
      rewriteUrl: ({ url = '' }) => routableTarget(url),
      // The host header is asked for below: Node's own refusal is no problem document.
      ...{ http: { headersTimeout: HEADERS_TIMEOUT_MS, maxHeaderSize: MAX_HEADER_BYTES, requireHostHeader: false } },
      ...(proxies.length > 0 && { trustProxy: proxies }),
    },
  });
  takeJson(app);
  handleExpectations(app);
  refuseOddTargets(app);
  refuseSlowBodies(app, config.BODY_IDLE_SECONDS * 1000);
  challengeRefused(app);
  lingerOnRefusal(app);
  await allowOrigins(app, config);
  await limitAddresses(app, config);
  await describeApi(app);

  await serveDocs(app);

  scope(app, (open) => {
    if (!dialects.some(({ ownsRoot }) => ownsRoot)) welcomeRoute(open);
    healthRoutes(open, isReady);
    newAccountRoute(open, gateway);
    plansRoute(open, gateway);
  });
  scope(app, (open) => loginRoutes(open, gateway));
  scope(app, (open) => webhookRoute(open, gateway));
  scope(app, (open) => pageRoutes(open, gateway));
  scope(app, (open) => {
    sharedReadRoutes(open, gateway);
    signedReadRoutes(open, gateway);
  });
  scope(app, (open) => {
    takeBytes(open);
    sharedWriteRoute(open, gateway);
    signedWriteRoute(open, gateway);
  });
  scope(app, (open) => linkPageRoutes(open, gateway));
  scope(app, (closed) => {
    authenticate(closed, gateway);
    limitAccounts(closed, config);
    for (const routes of CLOSED) routes(closed, gateway);
    scope(closed, (inner) => newChildRoute(inner, gateway));
    scope(closed, (inner) => adminRoutes(inner, gateway));
    scope(closed, (inner) => {
      takeBytes(inner);
      contentWriteRoutes(inner, gateway);
      fileWriteRoute(inner, gateway);
    });
  });
  for (const dialect of dialects) scope(app, (inner) => openDoor(inner, gateway, dialect));
  return app;
}

const CLOSED = [
  meRoutes,
  sessionRoutes,
  keyRoutes,
  usageRoute,
  paymentRoutes,
  nodeRoutes,
  accessRoutes,
  childrenRoute,
  contentReadRoutes,
  archiveRoutes,
  linkRoutes,
  signedUrlRoutes,
  fileReadRoutes,
  trashRoutes,
  versionRoutes,
  searchRoute,
];

/** Here a body is a file, whatever its type says. */
function takeBytes(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** An encapsulated scope: its hooks and parsers hold for its own routes alone. */
function scope(app: App, fill: (scope: App) => void): void {
  app.register((inner: App, _options, done) => {
    fill(inner);
    done();
  });
}

async function allowOrigins(app: App, config: Config): Promise<void> {
  const origins = listOf(config.CORS_ORIGINS);
  if (origins.length === 0) return;
  await app.register(cors, {
    origin: origins.includes('*') ? '*' : origins,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    exposedHeaders: ['ETag', 'Location', 'Content-Range', 'Content-Disposition', 'Retry-After', 'X-Request-Id'],
    maxAge: 600,
  });
}
