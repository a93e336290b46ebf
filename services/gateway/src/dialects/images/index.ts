import { appError } from '@coffer/service-kit';
import type { App, Gateway } from '../../gateway.ts';
import { limitAccounts } from '../../rate-limits.ts';
import { type Dialect, refusalOf, refuseOtherMethods } from '../common/dialect.ts';
import { takeAnyFields } from '../common/fields.ts';
import { accountRoutes, meRoute, userRoute } from './accounts.ts';
import { sendError } from './answers.ts';
import { requireKey, welcomeAll } from './authenticate.ts';
import { pictureRoutes } from './pictures.ts';
import { uploadRoute } from './upload.ts';

const TAKEN = {
  '/api/registration': ['POST' as const],
  '/api/login': ['GET' as const, 'POST' as const],
  '/api/me': ['GET' as const],
  '/api/user/:login': ['GET' as const],
  '/api/images': ['POST' as const],
  '/api/images/feed': ['GET' as const],
  '/api/images/:id': ['GET' as const],
};

/** Pictures in JSON, shown to everyone who has their id. */
export const images: Dialect = {
  name: 'images',
  register(app, gateway) {
    app.setErrorHandler((error, request, reply) => sendError(refusalOf(gateway, error, request), reply));
    within(app, (open) => {
      takeAnyFields(open);
      accountRoutes(open, gateway);
    });
    within(app, (open) => {
      welcomeAll(open, gateway);
      pictureRoutes(open, gateway);
      userRoute(open, gateway);
    });
    within(app, (closed) => enter(closed, gateway, meRoute));
    within(app, (closed) => enter(closed, gateway, uploadRoute));
    refuseOtherMethods(app, TAKEN, {
      op: 'images.refuse',
      answer: () => {
        throw appError('method_not_allowed');
      },
    });
  },
};

function enter(app: App, gateway: Gateway, routes: (app: App, gateway: Gateway) => void): void {
  requireKey(app, gateway);
  limitAccounts(app, gateway.config);
  routes(app, gateway);
}

function within(app: App, fill: (scope: App) => void): void {
  app.register((scope: App, _options, done) => {
    fill(scope);
    done();
  });
}
