import { authContract, type Revocation } from '@coffer/contracts';
import { type App, serve } from '@coffer/service-kit';
import type { SigningKeys } from '../store/signing-keys.ts';

export interface TrustDeps {
  signingKeys: SigningKeys;
  /** What was revoked within the last access token's life. */
  revocations: () => Promise<Revocation[]>;
}

/** What verifiers of access tokens need; asked by services, not on behalf of anybody. */
export default function routes(app: App, { signingKeys, revocations }: TrustDeps): void {
  serve(app, authContract, 'getKeySet', async () => ({ keys: await signingKeys.published() }));
  serve(app, authContract, 'listRevocations', async () => ({ items: await revocations() }));
}
