import { randomBytes } from 'node:crypto';
import { metadataContract, type NodeRecord, type Principal } from '@coffer/contracts';
import {
  type CallInput,
  type Client,
  createClient,
  createTestContext,
  isAppError,
  listen,
  newId,
  type ServiceContext,
} from '@coffer/service-kit';
import type { Test } from 'tap';
import { type Built, buildApp } from '../src/app.ts';
import type { Patience } from '../src/operations/assemble.ts';
import { type Blobs, blobs, content } from './blobs.ts';

type Endpoints = (typeof metadataContract)['endpoints'];
type EndpointName = keyof Endpoints & string;

export interface Service extends Built {
  ctx: ServiceContext;
  url: string;
  client: Client<typeof metadataContract>;
  stop(): Promise<void>;
}

export interface Bench {
  database: string;
  /** The real blob service. */
  blobs: Blobs;
  start(o?: StartOptions): Promise<Service>;
}

export interface StartOptions {
  freeLimitBytes?: number;
  maxVersions?: number;
  patience?: Patience;
  bus?: 'nats' | 'none';
  paymentAddress?: string;
}

/** Patience for tests: what an operator waits seconds for takes milliseconds. */
export const hasty: Patience = {
  everyMs: 50,
  abandonedAfterMs: 300,
  lateChildMs: 300,
  moveLeaseMs: 300,
  settleIdleMs: 10,
};

/** A database of its own on the real engine, and a place to start instances of the service on it; all ended with the test. */
export async function bench(t: Test): Promise<Bench> {
  const database = `mdtest-${randomBytes(6).toString('hex')}`;
  const services: Service[] = [];
  const bytes = await blobs();
  const start = async (o: StartOptions = {}): Promise<Service> => {
    const { MONGODB_URL, NATS_URL } = process.env;
    if (MONGODB_URL === undefined) throw new Error('MONGODB_URL is needed');
    const ctx = createTestContext(
      'metadata',
      { ...(NATS_URL === undefined ? {} : { NATS_URL }), NATS_PREFIX: database },
      { bus: o.bus ?? 'none' },
    );
    const config = {
      MONGODB_URL,
      MONGODB_DATABASE: database,
      FREE_LIMIT_BYTES: o.freeLimitBytes ?? 100_000_000,
      MAX_VERSIONS: o.maxVersions ?? 20,
    };
    const { paymentAddress } = o;
    const built = buildApp(ctx, config, {
      patience: o.patience ?? hasty,
      blobAddress: bytes.url,
      ...(paymentAddress === undefined ? {} : { paymentAddress }),
    });
    const { url } = await listen(built.app, ctx);
    while (!built.database.isPrepared()) await new Promise((resolve) => setTimeout(resolve, 5));
    const client = createClient(ctx, metadataContract, { address: url });
    const service: Service = { ...built, ctx, url, client, stop: () => ctx.shutdown.run('test') };
    services.push(service);
    return service;
  };
  t.teardown(async () => {
    const last = services.at(-1);
    for (const service of services.slice(0, -1)) await service.stop();
    await last?.database.drop().catch(() => undefined);
    await last?.stop();
  });
  return { database, blobs: bytes, start };
}

/** Calls as one account. */
export class Person {
  readonly principal: Principal;
  readonly #services: Service[];
  #turn = 0;

  constructor(services: Service | Service[], principal: Partial<Principal> = {}) {
    this.#services = Array.isArray(services) ? services : [services];
    this.principal = { accountId: newId(), role: 'user', readOnly: false, ...principal };
  }

  get id(): string {
    return this.principal.accountId;
  }

  call<N extends EndpointName>(name: N, input: CallInput<Endpoints[N]>) {
    this.#turn = (this.#turn + 1) % this.#services.length;
    const service = this.#services[this.#turn];
    if (service === undefined) throw new Error('no service');
    return service.client.call(name, input, { principal: this.principal, timeoutMs: 60_000 });
  }

  async folder(parent: string, name: string): Promise<NodeRecord> {
    return (await this.call('createFolder', { body: { parent: { id: parent }, name } })).node;
  }

  async file(parent: string, name: string, sizeBytes = 10): Promise<NodeRecord> {
    const target = { parent: { id: parent }, name, ifExists: 'replace' as const };
    return (await this.call('commitWrite', { body: { target, content: content(sizeBytes) } })).node;
  }

  async put(path: string[], sizeBytes = 10): Promise<{ node: NodeRecord; created: boolean }> {
    const name = path.at(-1) ?? '';
    const target = { parent: { path: path.slice(0, -1) }, name, makeFolders: true, ifExists: 'replace' as const };
    return await this.call('commitWrite', { body: { target, content: content(sizeBytes) } });
  }

  async get(id: string): Promise<NodeRecord> {
    return await this.call('resolve', { body: { ref: { id } } });
  }

  async at(path: string[]): Promise<NodeRecord> {
    return await this.call('resolve', { body: { ref: { path } } });
  }

  async trash(id: string, permanent = false): Promise<void> {
    await this.call('deleteNode', { body: { ref: { id }, permanent } });
  }

  async children(id: string, limit = 1000): Promise<NodeRecord[]> {
    const items: NodeRecord[] = [];
    let cursor: string | undefined;
    do {
      const page = await this.call('listChildren', { params: { id }, query: { limit, cursor } });
      items.push(...page.items);
      cursor = page.nextCursor ?? undefined;
    } while (cursor !== undefined);
    return items;
  }

  /** Every node of the tree by its path; folders end with a slash. */
  async walk(id = 'root', prefix = ''): Promise<Map<string, NodeRecord>> {
    const found = new Map<string, NodeRecord>();
    for (const node of await this.children(id)) {
      const path = `${prefix}${node.name}${node.kind === 'folder' ? '/' : ''}`;
      found.set(path, node);
      if (node.kind === 'folder') for (const [p, n] of await this.walk(node.id, path)) found.set(p, n);
    }
    return found;
  }

  async usage() {
    return await this.call('getUsage', { params: { accountId: this.id } });
  }

  /** Throws unless the stored figures are what the documents say. */
  async recount(t: Test): Promise<void> {
    const { stored, counted } = await this.call('recount', {
      params: { accountId: this.id },
      body: { repair: false },
    });
    t.same(stored, counted, 'the figures are what a recount finds');
  }
}

export { content };

/** The code that a call is refused with; fails where it is not refused. */
export async function codeOf(call: Promise<unknown>): Promise<string> {
  try {
    await call;
  } catch (error) {
    if (isAppError(error)) return error.code;
    throw error;
  }
  return 'none';
}

/** Polls until it holds. */
export async function until(what: string, holds: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`not in time: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
