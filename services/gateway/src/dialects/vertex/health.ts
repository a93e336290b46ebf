import type { App } from '../../gateway.ts';
import { sendWelcomePage, wantsPage } from '../../routes/welcome.ts';
import { sendJson } from './errors.ts';

const HEALTH = {
  status: true,
  'request method': 'GET',
  message: 'Api is Running Correctly!',
  runtime: 'Active',
  producer: 'DukeeTheProgrammer',
};

/** `GET /`: this API's health to programs, the service's own page to browsers. */
export function healthRoute(app: App): void {
  app.get('/', { config: { op: 'vertex.health' } }, async (request, reply) => {
    reply.header('vary', 'accept');
    return wantsPage(request) ? sendWelcomePage(reply) : sendJson(reply, HEALTH);
  });
}
