import type { Logger } from '@coffer/service-kit';
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, SignJWT } from 'jose';
import type { AccessTokens } from '../domain/ports.ts';
import type { SigningKeyDocument } from './documents.ts';
import { duplicateField, type Mongo, run } from './mongo.ts';
import type { Sealing } from './sealing.ts';

const dayMs = 24 * 60 * 60 * 1000;
const rotateAfterMs = 90 * dayMs;
/** A new key is published for so long before it signs: longer than any verifier keeps a key set. */
const announceMs = 60 * 60 * 1000;
const reloadAfterMs = 60_000;

type PrivateKey = Awaited<ReturnType<typeof importJWK>>;
interface LoadedKey {
  document: SigningKeyDocument;
  privateKey: PrivateKey;
}

export interface SigningKeys extends AccessTokens {
  /** Loads the keys, making the first one, or the next where the newest has served its time. */
  load(now?: Date): Promise<void>;
  /** RFC 7517 public keys that living tokens may be signed with. */
  published(now?: Date): Promise<Record<string, unknown>[]>;
}

/** The keys that sign access tokens: Ed25519, the private half sealed in the database, agreed on by all instances. */
export function createSigningKeys(
  { signingKeys }: Mongo,
  sealing: Sealing,
  o: { tokenLifeMs: number; longestLifeMs: number; logger: Pick<Logger, 'warn' | 'info'> },
): SigningKeys {
  let loaded: LoadedKey[] = [];
  let loadedAt = 0;

  async function make(generation: number, activeFrom: Date, now: Date): Promise<void> {
    const pair = await generateKeyPair('EdDSA', { crv: 'Ed25519', extractable: true });
    const { kty = '', crv = '', x = '' } = await exportJWK(pair.publicKey);
    const publicKey = { kty, crv, x };
    const kid = await calculateJwkThumbprint(publicKey);
    const secret = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
    const sealedPrivateKey = sealing.seal(secret, `signing-key:${kid}`);
    try {
      await run(() =>
        signingKeys.insertOne({ _id: generation, kid, publicKey, sealedPrivateKey, createdAt: now, activeFrom }),
      );
      o.logger.info({ kid, generation, activeFrom }, 'made a signing key');
    } catch (error) {
      // Another instance made this generation first; the reload that follows finds it.
      if (duplicateField(error) === undefined) throw error;
    }
  }

  async function open(document: SigningKeyDocument): Promise<LoadedKey> {
    const known = loaded.find((key) => key.document.kid === document.kid);
    if (known) return known;
    const jwk: unknown = JSON.parse(sealing.open(document.sealedPrivateKey, `signing-key:${document.kid}`).toString());
    if (typeof jwk !== 'object' || jwk === null) throw new Error('The stored signing key is damaged');
    return { document, privateKey: await importJWK({ ...jwk }, 'EdDSA') };
  }

  async function read(): Promise<SigningKeyDocument[]> {
    return await run(() => signingKeys.find().sort({ _id: 1 }).toArray());
  }

  async function load(now = new Date()): Promise<void> {
    let documents = await read();
    const newest = documents.at(-1);
    if (!newest) await make(1, now, now);
    else if (newest.activeFrom.getTime() + rotateAfterMs <= now.getTime())
      await make(newest._id + 1, new Date(now.getTime() + announceMs), now);
    if (!newest || newest.activeFrom.getTime() + rotateAfterMs <= now.getTime()) documents = await read();
    // A key of which every token has expired is of no use to anybody.
    const alive = documents.filter((_, index) => {
      const successor = documents[index + 1];
      return !successor || successor.activeFrom.getTime() + 2 * o.longestLifeMs > now.getTime();
    });
    loaded = await Promise.all(alive.map(open));
    loadedAt = Date.now();
  }

  /** Keys in memory stay good while the database is away. */
  async function refresh(now?: Date): Promise<void> {
    if (loaded.length > 0 && Date.now() - loadedAt < reloadAfterMs) return;
    try {
      await load(now);
    } catch (error) {
      if (loaded.length === 0) throw error;
      loadedAt = Date.now();
      o.logger.warn({ err: error }, 'could not read the signing keys again; going on with those known');
    }
  }

  return {
    load,

    async published(now) {
      await refresh(now);
      return loaded.map(({ document: { publicKey, kid } }) => ({ ...publicKey, kid, alg: 'EdDSA', use: 'sig' }));
    },

    async issue({ accountId, sessionId, role, issuedAt, lifeSeconds = Math.floor(o.tokenLifeMs / 1000) }) {
      await refresh();
      const key = loaded.findLast(({ document }) => document.activeFrom <= issuedAt) ?? loaded[0];
      if (!key) throw new Error('There is no signing key');
      const issuedAtSeconds = Math.floor(issuedAt.getTime() / 1000);
      const expiresAtSeconds = issuedAtSeconds + lifeSeconds;
      const token = await new SignJWT({ sid: sessionId, role })
        .setProtectedHeader({ alg: 'EdDSA', kid: key.document.kid, typ: 'at+jwt' })
        .setIssuer('coffer')
        .setSubject(accountId)
        .setIssuedAt(issuedAtSeconds)
        .setExpirationTime(expiresAtSeconds)
        .sign(key.privateKey);
      return { token, expiresAt: new Date(expiresAtSeconds * 1000) };
    },
  };
}
