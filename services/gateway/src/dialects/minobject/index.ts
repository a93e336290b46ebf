import { appError } from '@coffer/service-kit';
import type { App } from '../../gateway.ts';
import { limitAccounts } from '../../rate-limits.ts';
import { type Dialect, refuseOtherMethods } from '../common/dialect.ts';
import { takeAnyFields } from '../common/fields.ts';
import { answerErrors } from './errors.ts';
import { fileRoutes } from './files.ts';
import { requireToken } from './guard.ts';
import { uploadRoute } from './upload.ts';
import { userRoutes } from './users.ts';

/** Files by an identifier of the uploader's choice, unique in the service. */
export const minobject: Dialect = {
  name: 'minobject',
  register(app, gateway) {
    takeAnyFields(app);
    answerErrors(app, gateway);
    userRoutes(app, gateway);
    refuse(app, { '/users/register': ['POST'], '/users/register/': ['POST'] });
    refuse(app, { '/users/login': ['POST'], '/users/login/': ['POST'] });
    unknown(app, '/users/*');
    app.register((closed: App, _options, done) => {
      requireToken(closed, gateway);
      limitAccounts(closed, gateway.config);
      uploadRoute(closed, gateway);
      fileRoutes(closed, gateway);
      refuse(closed, { '/data/file': ['POST'], '/data/file/': ['POST'], '/data/file/*': ['GET', 'DELETE'] });
      refuse(closed, { '/data/user_file': ['GET'], '/data/user_file/': ['GET'], '/data/metadata/*': ['GET'] });
      unknown(closed, '/data/*');
      done();
    });
  },
};

function refuse(app: App, taken: Parameters<typeof refuseOtherMethods>[1]): void {
  const answer = () => {
    throw appError('method_not_allowed');
  };
  refuseOtherMethods(app, taken, { op: 'minobject.wrongMethod', answer });
}

function unknown(app: App, url: string): void {
  const answer = (_request: unknown, reply: { removeHeader(name: string): unknown }) => {
    reply.removeHeader('allow');
    throw appError('not_found', 'Not found');
  };
  refuseOtherMethods(app, { [url]: [] }, { op: 'minobject.unknown', answer });
}
