import { appError } from '@coffer/service-kit';
import type { App, Gateway } from '../../gateway.ts';
import { limitAccounts } from '../../rate-limits.ts';
import { type Dialect, leaveBodies, refusalOf, refuseOtherMethods } from '../common/dialect.ts';
import { accessReadRoutes, accessWriteRoutes } from './access.ts';
import { loginRoutes, profileRoute } from './accounts.ts';
import { requireToken, welcomeAll } from './authenticate.ts';
import { sendError, sendNoSuchUrl } from './errors.ts';
import { fileReadRoutes, fileWriteRoutes, signedViewRoute } from './files.ts';
import { folderReadRoutes, folderWriteRoutes } from './folders.ts';
import { takeFields } from './input.ts';
import { messageRoute, paymentsRoute, payRoutes, verifyRoutes } from './payments.ts';
import { registerRoute } from './register.ts';
import { PATHS, type Path, urlsOf, within } from './routes.ts';

/** Files and folders that are shared: bearer tokens, `/api/v1`. */
export const cloudbox: Dialect = {
  name: 'cloudbox',
  register(app, gateway) {
    app.setErrorHandler((error, request, reply) => sendError(refusalOf(gateway, error, request), request, reply));
    takeFields(app);
    within(app, (open) => {
      registerRoute(open, gateway);
      signedViewRoute(open, gateway);
    });
    within(app, (open) => loginRoutes(open, gateway));
    within(app, (open) => messageRoute(open, gateway));
    within(app, (open) => verifyRoutes(open, gateway));
    within(app, (open) => payRoutes(open, gateway));
    within(app, (readers) => enter(readers, gateway, welcomeAll, READING));
    within(app, (known) => enter(known, gateway, requireToken, CHANGING));
    within(app, refuseOthers);
    within(app, refuseElsewhere);
  },
};

type Part = (app: App, gateway: Gateway) => void;
const READING: readonly Part[] = [folderReadRoutes, fileReadRoutes, accessReadRoutes];
const CHANGING: readonly Part[] = [profileRoute, paymentsRoute, folderWriteRoutes, fileWriteRoutes, accessWriteRoutes];

function enter(app: App, gateway: Gateway, guard: Part, parts: readonly Part[]): void {
  guard(app, gateway);
  limitAccounts(app, gateway.config);
  for (const part of parts) part(app, gateway);
}

function refuseOthers(app: App): void {
  const taken = Object.fromEntries(
    Object.entries(PATHS).flatMap(([path, methods]) => urlsOf(path as Path).map((url) => [url, methods])),
  );
  refuseOtherMethods(app, taken, {
    op: 'cloudbox.refuse',
    answer: () => {
      throw appError('method_not_allowed');
    },
  });
}

/** Everything else below `/api/v1` is this API's to refuse, and no other's. */
function refuseElsewhere(app: App): void {
  leaveBodies(app);
  for (const url of ['/api/v1', '/api/v1/*']) {
    app.route({
      method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'],
      url,
      config: { op: 'cloudbox.unknown' },
      handler: (_request, reply) => sendNoSuchUrl(reply),
    });
  }
}
