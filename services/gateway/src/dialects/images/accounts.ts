import type { NodeRecord } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { App, Gateway } from '../../gateway.ts';
import { limitNewAccounts } from '../../rate-limits.ts';
import { fieldsOf } from '../common/fields.ts';
import { everyItem } from '../common/pages.ts';
import { invalidEmail, invalidLogin, sendJson, userNotFound } from './answers.ts';
import { FOLDER, isoTime, isPicture, listedImage } from './format.ts';

const LOGIN_MIN_LENGTH = 3;

export function accountRoutes(app: App, gateway: Gateway): void {
  const { auth, config } = gateway;
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store');
  });

  app.post(
    '/api/registration',
    { config: { op: 'images.register' }, onRequest: limitNewAccounts(app, config) },
    async (request, reply) => {
      const { login = '', email = '', password = '', description = '' } = await fieldsOf(gateway, request);
      if ([...login].length < LOGIN_MIN_LENGTH) throw invalidLogin(login);
      if (email === '') throw invalidEmail(email);
      if (password === '') throw appError('invalid_body', 'Invalid password');
      const body = {
        username: login,
        email,
        password,
        anyPassword: true,
        ...(description !== '' && { profile: { description } }),
        address: request.ip,
      };
      try {
        const account = await auth.call('createAccount', { body }, request.call);
        const { createdAt, id, username } = account;
        const made = { createTime: isoTime(createdAt), email: account.email, id, login: username };
        return sendJson(reply, made);
      } catch (error) {
        throw registrationRefused(error, login, email);
      }
    },
  );

  const logIn = async (request: FastifyRequest, reply: FastifyReply) => {
    const { login = '', password = '' } = await fieldsOf(gateway, request);
    if (login === '' || password === '') throw appError('invalid_credentials');
    const userAgent = (request.headers['user-agent'] ?? '').slice(0, 512);
    const body = { login, password, door: 'images' as const, address: request.ip, userAgent };
    try {
      const { key } = await auth.call('createSessionKey', { body }, request.call);
      return sendJson(reply, { Authorization: key });
    } catch (error) {
      // Longer than any login or password can be.
      throw isAppError(error, 'invalid_body') ? appError('invalid_credentials', undefined, { cause: error }) : error;
    }
  };
  // The document has GET with a body; clients that cannot send one POST it.
  app.get('/api/login', { config: { op: 'images.logIn' } }, logIn);
  app.post('/api/login', { config: { op: 'images.logIn' } }, logIn);
}

export function meRoute(app: App, gateway: Gateway): void {
  app.get('/api/me', { config: { op: 'images.me' } }, async (request, reply) => {
    const { accountId } = request.principal();
    const [account, description, images] = await Promise.all([
      gateway.auth.call('getAccount', { params: { accountId } }, request.call),
      descriptionOf(gateway, request, accountId),
      ownImages(gateway, request),
    ]);
    return sendJson(reply, { id: account.id, images, login: account.username, description });
  });
}

export function userRoute(app: App, gateway: Gateway): void {
  app.get<{ Params: { login: string } }>(
    '/api/user/:login',
    { config: { op: 'images.user' } },
    async (request, reply) => {
      const { login } = request.params;
      const account = await findByUserName(gateway, request, login);
      if (account === undefined) throw userNotFound(login);
      const [description, images] = await Promise.all([
        descriptionOf(gateway, request, account.id),
        imagesOf(gateway, request, account.id),
      ]);
      return sendJson(reply, { id: account.id, login: account.username, description, images });
    },
  );
}

/** By user name alone: whether an e-mail address has an account is not for everyone to ask. */
async function findByUserName(gateway: Gateway, request: FastifyRequest, login: string) {
  if (login === '' || login.length > 64) return undefined;
  const { accounts } = await gateway.auth.call('lookUpAccounts', { body: { logins: [login] } }, request.call);
  const [account] = accounts;
  if (!account || account.suspended || fold(account.username) !== fold(login)) return undefined;
  return account;
}

const fold = (name: string): string => name.normalize('NFKC').toLowerCase();

async function descriptionOf(gateway: Gateway, request: FastifyRequest, accountId: string): Promise<string> {
  // A profile is told to its owner alone; the description, which this API shows to everyone, is asked for in the owner's name.
  const principal = { accountId, role: 'user' as const, readOnly: true };
  const profile = await gateway.auth.call('getProfile', { params: { accountId } }, { ...request.call, principal });
  return profile.description ?? '';
}

/** What lies in the caller's folder of pictures, through whichever door it came, the latest first. */
async function ownImages(gateway: Gateway, request: FastifyRequest) {
  const ref = { path: [FOLDER], kind: 'folder' as const };
  const folder = await gateway.nodes(ref, request).catch((error: unknown) => {
    // It is made with the first picture.
    if (isAppError(error, 'not_found')) return undefined;
    throw error;
  });
  if (folder === undefined) return [];
  const found: NodeRecord[] = [];
  const pages = everyItem<NodeRecord>((cursor) => {
    const query = { limit: 1000, ...(cursor !== undefined && { cursor }) };
    return gateway.metadata.call('listChildren', { params: { id: folder.id }, query }, request.call);
  });
  for await (const node of pages) if (isPicture(node)) found.push(node);
  // Ids begin with the time of making (UUIDv7).
  return found.sort((a, b) => (a.id < b.id ? 1 : -1)).map(listedImage);
}

/** What anyone may see of an account's. */
async function imagesOf(gateway: Gateway, request: FastifyRequest, ownerId: string) {
  const images: ReturnType<typeof listedImage>[] = [];
  const pages = everyItem<NodeRecord>((cursor) => {
    const query = { ownerId, limit: 1000, ...(cursor !== undefined && { cursor }) };
    return gateway.metadata.call('listPublished', { query }, request.call);
  });
  for await (const node of pages) if (isPicture(node)) images.push(listedImage(node));
  return images;
}

function registrationRefused(error: unknown, login: string, email: string): unknown {
  if (!isAppError(error)) return error;
  const { code, errors } = error;
  if (code === 'username_taken') return appError(code, `Login ${login} already exists`, { cause: error });
  if (code === 'email_taken') return appError(code, `Email ${email} already exists`, { cause: error });
  if (error.status !== 400) return error;
  const at = errors?.[0]?.path ?? '';
  if (code === 'invalid_name' || at.includes('username')) return invalidLogin(login);
  if (at.includes('email')) return invalidEmail(email);
  return appError('invalid_body', at.includes('profile') ? 'Invalid description' : 'Invalid password', {
    cause: error,
  });
}
