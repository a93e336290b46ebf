import type { App, Gateway } from '../gateway.ts';
import { logInRoutes } from './log-in.ts';
import { payRoutes } from './pay.ts';
import { paymentPageRoute } from './payments.ts';
import { resetPasswordRoutes } from './reset-password.ts';
import { sandboxRoutes } from './sandbox.ts';
import { servePages } from './scope.ts';

/** Pages for browsers, in a scope of their own. None of them needs JavaScript. */
export function pageRoutes(app: App, gateway: Gateway): void {
  servePages(app, gateway);
  logInRoutes(app, gateway);
  payRoutes(app, gateway);
  paymentPageRoute(app, gateway);
  sandboxRoutes(app, gateway);
  resetPasswordRoutes(app, gateway);
}
