import { setTimeout as sleep } from 'node:timers/promises';
import { appError, newId } from '@coffer/service-kit';
import { Turns } from '../domain/turns.ts';
import type { MoveLease } from '../domain/usage.ts';
import { type Database, run } from './mongo.ts';
import type { UsageStore } from './usage.ts';

const WAIT_MS = 8_000;

/**
 * One folder of a tree moves at a time: two moves that are each harmless can make a cycle together.
 *
 * The holder writes into the usage document which node it is about to move and at which rev, then looks at the chain of
 * the target, then updates the node under the condition of that rev. The lease may be taken over when it looks
 * abandoned, but whoever does raises the node's rev first. So a holder that was only stalled finds its update refused;
 * it cannot move on a look that is out of date. No clock is trusted for that, the time only says when to stop waiting.
 */
export class MoveLocks {
  readonly #database: Database;
  readonly #usage: UsageStore;
  readonly #leaseMs: number;
  /** Within this instance they wait in line: only its head competes with other instances. */
  readonly #turns = new Turns();

  constructor(database: Database, usage: UsageStore, o: { leaseMs?: number } = {}) {
    this.#database = database;
    this.#usage = usage;
    this.#leaseMs = o.leaseMs ?? 5_000;
  }

  /**
   * Runs `move` while no other folder of the account's tree moves. `node` says which one at which rev is meant; the update
   * must be conditional on it. Throws 409 `busy` when the turn does not come in time.
   */
  async hold<T>(accountId: string, node: { _id: string; rev: number }, move: () => Promise<T>): Promise<T> {
    return await this.#turns.take(accountId, () => this.#hold(accountId, node, move));
  }

  async #hold<T>(accountId: string, node: { _id: string; rev: number }, move: () => Promise<T>): Promise<T> {
    const lease: MoveLease = { token: newId(), at: new Date(), nodeId: node._id, rev: node.rev };
    await this.#acquire(accountId, lease);
    try {
      return await move();
    } finally {
      // Left behind by an error here, the lease is taken over by the next move.
      await this.#release(accountId, lease.token).catch(() => undefined);
    }
  }

  async #acquire(accountId: string, lease: MoveLease): Promise<void> {
    const until = Date.now() + WAIT_MS;
    for (let attempt = 0; Date.now() < until; attempt++) {
      if (await this.#usage.update(accountId, { $set: { move: lease } }, { move: { $exists: false } })) return;
      const doc = await this.#usage.get(accountId);
      if (doc === null) await this.#usage.ensure(accountId);
      else if (doc.move !== undefined && doc.move.at.getTime() < Date.now() - this.#leaseMs) {
        await this.#takeOver(accountId, doc.move);
      } else await sleep(Math.random() * Math.min(2 ** attempt, 50));
    }
    throw appError('busy', 'Other folders of this tree are being moved');
  }

  async #takeOver(accountId: string, stale: MoveLease): Promise<void> {
    const { nodes } = this.#database;
    // The fence comes first. Where the rev is another already, the holder's update has happened or never can.
    await run(() => nodes.updateOne({ _id: stale.nodeId, rev: stale.rev }, { $inc: { rev: 1 } }));
    await this.#release(accountId, stale.token);
  }

  async #release(accountId: string, token: string): Promise<void> {
    await this.#usage.update(accountId, { $unset: { move: '' } }, { 'move.token': token });
  }
}
