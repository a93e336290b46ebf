import { setTimeout as sleep } from 'node:timers/promises';
import { type App, appError, createApp, registerOps, type ServiceContext } from '@coffer/service-kit';

import type { Config } from './config.ts';
import { createAccountReset } from './domain/account-reset.ts';
import { createAccounts } from './domain/accounts.ts';
import { createAudit } from './domain/audit.ts';
import { createDeletion } from './domain/deletion.ts';
import { createImportedKeys } from './domain/imported-keys.ts';
import { createKeys } from './domain/keys.ts';
import { createLogIn } from './domain/log-in.ts';
import { ensureOperator } from './domain/operator.ts';
import { createPasswordChange } from './domain/password-change.ts';
import { createPasswordResets } from './domain/password-resets.ts';
import { createProfiles } from './domain/profiles.ts';
import { createResetTokens } from './domain/reset-token.ts';
import { createSessionKeys } from './domain/session-keys.ts';
import { createSessions } from './domain/sessions.ts';
import { createOutboxes } from './events/outboxes.ts';
import accountRoutes from './routes/accounts.ts';
import auditRoutes from './routes/audit.ts';
import keyRoutes from './routes/keys.ts';
import passwordResetRoutes from './routes/password-resets.ts';
import sessionKeyRoutes from './routes/session-keys.ts';
import sessionRoutes from './routes/sessions.ts';
import trustRoutes from './routes/trust.ts';
import { createAccountStore } from './store/accounts.ts';
import { createAuditStore } from './store/audit.ts';
import { createKeyStore } from './store/keys.ts';
import { createLoginLimits } from './store/login-limits.ts';
import { createIndexes, openMongo, ping } from './store/mongo.ts';
import { createPasswords } from './store/password-hasher.ts';
import { createPasswordResetStore } from './store/password-resets.ts';
import { createProfileStore } from './store/profiles.ts';
import { createSealing } from './store/sealing.ts';
import { createSessionStore } from './store/sessions.ts';
import { createSigningKeys } from './store/signing-keys.ts';

/** A revocation is listed a little longer than a token lives, for clocks that differ. */
const clockSlackMs = 60_000;
/** What a session may ask for its tokens at most (contract). */
const longestTokenLifeMs = 24 * 60 * 60 * 1000;

/** The service, not listening yet. It starts without its database and answers 503 until that has come. */
export async function buildApp(ctx: ServiceContext, config: Readonly<Config>): Promise<App> {
  const { logger, shutdown } = ctx;
  const tokenLifeMs = config.ACCESS_TOKEN_SECONDS * 1000;
  const revokedForMs = longestTokenLifeMs + clockSlackMs;
  const keyEncryptionKey = Buffer.from(config.KEY_ENCRYPTION_KEY, 'base64');
  const mongo = openMongo({ url: config.MONGODB_URL, database: config.MONGODB_DATABASE });
  const sealing = createSealing(keyEncryptionKey);
  const passwords = createPasswords();
  const limits = createLoginLimits({
    url: config.REDIS_URL,
    prefix: config.REDIS_PREFIX,
    perAccount: config.LOGIN_ATTEMPTS_PER_ACCOUNT,
    perAddress: config.LOGIN_ATTEMPTS_PER_ADDRESS,
    windowSeconds: config.LOGIN_WINDOW_SECONDS,
    logger,
  });
  const accountStore = createAccountStore(mongo, sealing);
  const sessionStore = createSessionStore(mongo, { keepMs: 2 * revokedForMs, sealing });
  const keyStore = createKeyStore(mongo, sealing);
  const signingKeys = createSigningKeys(mongo, sealing, { tokenLifeMs, longestLifeMs: longestTokenLifeMs, logger });
  const outboxes = createOutboxes(ctx, mongo, { keepDeletedMs: 2 * revokedForMs });

  const sessionPorts = {
    accounts: accountStore,
    sessions: sessionStore,
    passwords,
    limits,
    events: outboxes.sessions,
    sessionLifeMs: config.SESSION_DAYS * 24 * 60 * 60 * 1000,
  };
  const sessions = createSessions({ ...sessionPorts, tokens: signingKeys });
  const sessionKeys = createSessionKeys(sessionPorts);
  const accountPorts = { accounts: accountStore, passwords, limits, events: outboxes.accounts, sessions };
  const accounts = createAccounts(accountPorts);
  const profiles = createProfiles({ profiles: createProfileStore(mongo, sealing) });
  const changePassword = createPasswordChange(accountPorts);
  const deletion = createDeletion(accountPorts);
  const audit = createAudit({ audit: createAuditStore(mongo) });
  const keys = createKeys({ keys: keyStore, events: outboxes.accounts });
  const importedKeys = createImportedKeys({ keys: keyStore, logIn: createLogIn(sessionPorts) });
  const passwordResets = createPasswordResets({
    ...accountPorts,
    resets: createPasswordResetStore(mongo),
    tokens: createResetTokens(keyEncryptionKey),
    resetLimits: limits.resets,
    events: outboxes,
  });
  const resetAccount = createAccountReset({ ...accountPorts, keys: keyStore, order: passwordResets.order });

  async function revocations() {
    const now = Date.now();
    const longLived = new Date(now - revokedForMs);
    const since = new Date(now - tokenLifeMs - clockSlackMs);
    const found = await Promise.all([
      sessionStore.revokedSince(since, longLived),
      accountStore.revokedSince(since, longLived),
    ]);
    return found.flat();
  }

  async function prepare(): Promise<void> {
    await createIndexes(mongo);
    await signingKeys.load();
    const { ADMIN_USERNAME: username, ADMIN_PASSWORD: password, ADMIN_EMAIL: email } = config;
    if (!username || !password) return;
    const outcome = await ensureOperator(
      { accounts: accountStore, create: accounts.create },
      { username, password, email },
    );
    if (outcome === 'not-an-operator')
      logger.error('the name in ADMIN_USERNAME belongs to an account that is no operator');
    else logger.info({ outcome }, 'operator account');
  }

  let prepared = false;
  const preparing = prepareUntilDone();
  async function prepareUntilDone(): Promise<void> {
    for (let waitMs = 100; !shutdown.signal.aborted; waitMs = Math.min(waitMs * 2, 3_000)) {
      try {
        await prepare();
        prepared = true;
        return;
      } catch (error) {
        logger.warn({ err: error }, 'the database cannot be prepared yet');
        await sleep(waitMs, undefined, { signal: shutdown.signal, ref: false }).catch(() => {});
      }
    }
  }

  const app = createApp(ctx);
  // Without the indexes nothing keeps a user name unique, so nothing is served before they are there.
  async function requirePrepared(): Promise<void> {
    if (prepared) return;
    throw appError('unavailable', 'The service is not ready yet', { headers: { 'retry-after': '2' } });
  }
  app.register((scope: App, _options, done) => {
    scope.addHook('onRequest', requirePrepared);
    accountRoutes(scope, { accounts, profiles, changePassword, deletion, resetAccount });
    sessionRoutes(scope, { sessions });
    sessionKeyRoutes(scope, { sessionKeys });
    keyRoutes(scope, { keys, importedKeys });
    passwordResetRoutes(scope, { passwordResets });
    auditRoutes(scope, { audit });
    trustRoutes(scope, { signingKeys, revocations });
    done();
  });
  // Redis is no condition of readiness: without it log-ins are limited less well, but nothing else is lost.
  registerOps(app, ctx, { ready: { mongodb: () => ping(mongo), preparation: requirePrepared } });

  ctx.metrics.gauge('auth_passwords_waiting', 'Passwords waiting to be hashed', passwords.waiting);
  ctx.metrics.gauge('auth_login_limits_shared', 'Whether attempts are counted in Redis (1) or alone (0)', () =>
    limits.shared() ? 1 : 0,
  );
  app.addHook('onClose', async () => {
    await preparing;
  });
  shutdown.onPhase('connections', 'redis', limits.close);
  shutdown.onPhase('connections', 'mongodb', () => mongo.client.close());
  return app;
}
