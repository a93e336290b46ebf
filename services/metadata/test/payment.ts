import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { paymentContract } from '@coffer/contracts';
import { type Client, createClient, createTestContext, newId } from '@coffer/service-kit';
import { MongoClient } from 'mongodb';
import type { Test } from 'tap';

const SECRET = 'test-secret-'.padEnd(40, 'x');
const MAIN = path.join(import.meta.dirname, '../../payment/src/main.ts');

export interface Payment {
  url: string;
  client: Client<typeof paymentContract>;
  /** By an operator, without payment. */
  setPlan(accountId: string, planId: string): Promise<void>;
}

/** The payment service as a process of its own, on a bus of its own: its events reach nobody here. Ended with the test. */
export async function startPayment(t: Test, port: number): Promise<Payment> {
  const { PATH, MONGODB_URL, NATS_URL } = process.env;
  const name = `mdtest-${randomBytes(6).toString('hex')}`;
  const child = fork(MAIN, {
    env: {
      ...{ PATH, MONGODB_URL, NATS_URL, MONGODB_DATABASE: name, NATS_PREFIX: name },
      ...{ INTERNAL_SECRET: SECRET, LOG_LEVEL: 'error', SERVICE_PORT: String(port) },
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const ctx = createTestContext('metadata', { INTERNAL_SECRET: SECRET }, { bus: 'none' });
  t.teardown(async () => {
    await ctx.shutdown.run('test');
    await ended(child);
    const mongo = new MongoClient(MONGODB_URL ?? '');
    await mongo.db(name).dropDatabase();
    await mongo.close();
  });
  const url = await new Promise<string>((resolve, reject) => {
    child.on('message', (message: { type?: string; url?: string }) => {
      if (message.type === 'listening' && message.url !== undefined) resolve(message.url);
    });
    child.once('exit', (code) => reject(new Error(`the payment service ended with ${code}`)));
  });
  const client = createClient(ctx, paymentContract, { address: url });
  const principal = { accountId: newId(), role: 'operator', readOnly: false } as const;
  return {
    url,
    client,
    setPlan: async (accountId, planId) => {
      await client.call('setPlan', { params: { accountId }, body: { planId, until: null } }, { principal });
    },
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  await exit;
}
