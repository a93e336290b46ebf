import type { paymentContract, ResponseOf } from '@coffer/contracts';
import type { CallOptions } from '@coffer/service-kit';
import { openQueue, type QueueSurroundings, type WorkQueue } from './queue.ts';
import { assertVersion, keepSchedule } from './schedule.ts';

const NAME = 'payments';
/** Raised when a worker of before would misread the data of now. */
const PAYMENTS_JOB_VERSION = 1;

/** It is about all payments, and names none. */
export interface PaymentsJob {
  readonly version: number;
}
type Reconciled = ResponseOf<(typeof paymentContract)['endpoints']['reconcile']>;

export interface PaymentsQueueOptions {
  readonly everyMs: number;
  /** See the contract: bears being asked by several at once, and again after a crash. */
  reconcile(call: CallOptions): Promise<Reconciled>;
}

/** The queue `payments`: at each interval the payment service is asked to reconcile, by one of the instances. */
export function openPaymentsQueue(around: QueueSurroundings, o: PaymentsQueueOptions): WorkQueue<PaymentsJob> {
  const { logger } = around.ctx;
  const queue = openQueue<PaymentsJob>(around, {
    name: NAME,
    options: {},
    concurrency: 1,
    handle: async ({ id, data, signal }) => {
      assertVersion(data, PAYMENTS_JOB_VERSION);
      const done = await o.reconcile({ signal, requestId: id });
      const isIdle = Object.values(done).every((count) => count === 0);
      if (!isIdle) logger.info({ jobId: id, ...done }, 'payments were reconciled');
      return isIdle ? 'idle' : 'reconciled';
    },
  });
  keepSchedule(around.ctx, queue, { id: 'reconcile', everyMs: o.everyMs, data: { version: PAYMENTS_JOB_VERSION } });
  return queue;
}
