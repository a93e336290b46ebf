import { authContract } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import type { ImportedKeys } from '../domain/imported-keys.ts';
import { type Keys, publicKey } from '../domain/keys.ts';
import { contextOf, logAccount, requireSelf, requireWritingSelf } from './guards.ts';

export default function routes(app: App, { keys, importedKeys }: { keys: Keys; importedKeys: ImportedKeys }): void {
  serve(app, authContract, 'listKeys', async ({ params: { accountId } }, request) => {
    requireSelf(request, accountId);
    return { items: (await keys.list(accountId)).map(publicKey) };
  });

  serve(app, authContract, 'createKey', async ({ params: { accountId }, body }, request, reply) => {
    requireWritingSelf(request, accountId);
    const key = await keys.create(accountId, body);
    reply.code(201);
    return { ...publicKey(key), secret: key.secret };
  });

  serve(app, authContract, 'deleteKey', async ({ params: { accountId, keyId } }, request): Promise<undefined> => {
    requireWritingSelf(request, accountId);
    await keys.remove(accountId, keyId, contextOf(request));
  });

  serve(app, authContract, 'importKey', async ({ body }, request) => {
    const { accountId, key } = await importedKeys.add(body, contextOf(request));
    logAccount(request, accountId);
    return publicKey(key);
  });

  // For the account itself, or for a service that asks on behalf of nobody, right after the log-in.
  serve(app, authContract, 'getImportedKey', async ({ params: { accountId, door } }, request) => {
    if (request.call.principal) requireSelf(request, accountId);
    return await importedKeys.get(accountId, door);
  });

  // No principal: this is where a key's principal comes from.
  serve(app, authContract, 'verifyKey', async ({ body: { keyId, secret } }) => await keys.verify(keyId, secret));
}
