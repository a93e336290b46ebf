import type { App, Gateway } from '../../gateway.ts';
import { tokenMissing } from './errors.ts';

const BEARER = /^Bearer +([^\s]+)$/i;
const MAX_LENGTH = 4_096;

/** Makes `app` a scope that is entered with a token of `/users/login` only (or of any other log-in that gives one). */
export function requireToken(app: App, { tokens }: Gateway): void {
  app.addHook('onRequest', async (request) => {
    const { authorization = '' } = request.headers;
    const token = authorization.length > MAX_LENGTH ? undefined : BEARER.exec(authorization.trim())?.[1];
    if (token === undefined) throw tokenMissing();
    request.setPrincipal(tokens.remembered(token) ?? (await tokens.verify(token)));
  });
}
