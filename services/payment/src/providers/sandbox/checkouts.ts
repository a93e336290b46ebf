import { randomInt, randomUUID } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import {
  actions,
  type SandboxAction,
  type SandboxCheckout,
  type SandboxEvent,
  type SandboxStore,
  type Send,
} from './model.ts';

/** How the webhooks of an action are sent. */
export interface Delivery {
  /** Default 1; 0: lost. */
  readonly times?: number | undefined;
  readonly delayMs?: number | undefined;
  /** In any order, those of earlier actions that are still to be sent included. */
  readonly isShuffled?: boolean | undefined;
}

export interface SandboxCheckouts {
  /** `not_found` unless it can be paid or declined. */
  getOpen(reference: string): Promise<SandboxCheckout>;
  /** Repeated, it changes nothing and sends its webhooks again. `not_found`; `conflict` where the state does not allow it. */
  act(reference: string, action: SandboxAction, delivery?: Delivery): Promise<SandboxCheckout>;
}

export function createSandboxCheckouts({ store, wake }: { store: SandboxStore; wake: () => void }): SandboxCheckouts {
  async function get(reference: string): Promise<SandboxCheckout> {
    const found = await store.get(reference);
    if (!found) throw appError('not_found', 'The sandbox knows no such payment');
    return found;
  }

  return {
    async getOpen(reference) {
      const checkout = await get(reference);
      if (checkout.status !== 'open') throw appError('not_found', 'This payment is not open any more');
      return checkout;
    },

    async act(reference, action, delivery = {}) {
      for (;;) {
        const next = acted(await get(reference), action, delivery);
        // The new state and what is to be told of it are one write: no crash leaves the one without the other.
        if (!(await store.replace(next))) continue;
        wake();
        return next;
      }
    },
  };
}

/** They are kept in one document, and whoever holds the reference can ask for more. */
const MAX_WAITING = 1_000;

function acted(checkout: SandboxCheckout, action: SandboxAction, delivery: Delivery): SandboxCheckout {
  const { from, to, event } = actions[action];
  const isRepeated = checkout.status === to;
  if (!isRepeated && !from.includes(checkout.status))
    throw appError('conflict', `A payment that is ${checkout.status} does not allow that`);
  const now = new Date();
  const added = [...checkout.sends, ...sendsOf(event, now, delivery)];
  if (added.length > MAX_WAITING) throw appError('busy', 'Too many webhooks of this payment wait to be sent');
  const sends = delivery.isShuffled ? shuffled(added) : added;
  return { ...checkout, status: to, paidAt: to === 'success' && !isRepeated ? now : checkout.paidAt, sends };
}

function sendsOf(event: SandboxEvent, now: Date, { times = 1, delayMs = 0 }: Delivery): Send[] {
  const dueAt = new Date(now.getTime() + delayMs);
  return Array.from({ length: times }, () => ({ id: randomUUID(), event, dueAt, since: dueAt, attempts: 0 }));
}

/** The same moments, dealt out anew (Fisher and Yates). */
function shuffled(sends: readonly Send[]): Send[] {
  const dealt = [...sends];
  for (let last = dealt.length - 1; last > 0; last--) {
    const other = randomInt(last + 1);
    const [a, b] = [dealt[last], dealt[other]];
    if (!a || !b) break;
    dealt[last] = { ...b, dueAt: a.dueAt };
    dealt[other] = { ...a, dueAt: b.dueAt };
  }
  return dealt;
}
