import type { authContract, blobContract, metadataContract, paymentContract, workerContract } from '@coffer/contracts';
import type { App, Client, ServiceContext } from '@coffer/service-kit';
import type { ApiKeyVerifier } from './auth/api-keys.ts';
import type { TokenVerifier } from './auth/tokens.ts';
import type { Config } from './config.ts';
import type { SessionKeys } from './dialects/common/sessions.ts';
import type { NodeReader } from './downloads/node-reader.ts';
import type { SmallBlobs } from './downloads/small-blobs.ts';
import type { LinkTransfers } from './links/transfers.ts';
import type { LeaveBook } from './uploads/leave.ts';
import type { Writes } from './uploads/writes.ts';

export type { App };

/** What the routes work with. */
export interface Gateway {
  readonly ctx: ServiceContext;
  readonly config: Readonly<Config>;
  readonly auth: Client<typeof authContract>;
  readonly metadata: Client<typeof metadataContract>;
  readonly blob: Client<typeof blobContract>;
  /** Away at any time: only its own routes may need it. The same goes for the worker. */
  readonly payment: Client<typeof paymentContract>;
  readonly worker: Client<typeof workerContract>;
  readonly tokens: TokenVerifier;
  readonly apiKeys: ApiKeyVerifier;
  readonly sessionKeys: SessionKeys;
  readonly nodes: NodeReader;
  readonly smallBlobs: SmallBlobs;
  readonly leave: LeaveBook;
  readonly linkTransfers: LinkTransfers;
  readonly writes: Writes;
}
