import type { LedgerReport } from '@coffer/contracts';
import type { CallOptions } from '@coffer/service-kit';
import { openQueue, type QueueSurroundings, type WorkQueue } from './queue.ts';
import { assertVersion, keepSchedule } from './schedule.ts';

const NAME = 'ledger';
/** Raised when a worker of before would misread the data of now. */
const LEDGER_JOB_VERSION = 1;
const TOLD_PROBLEMS = 20;

/** It is about the whole ledger, and names nothing of it. */
export interface LedgerJob {
  readonly version: number;
}

export interface LedgerQueueOptions {
  readonly everyMs: number;
  checkLedger(call: CallOptions): Promise<LedgerReport>;
}

/** The queue `ledger`: at each interval the sums of the ledger are checked. What is wrong is for people to look into: nothing is mended here. */
export function openLedgerQueue(around: QueueSurroundings, o: LedgerQueueOptions): WorkQueue<LedgerJob> {
  const { logger, metrics } = around.ctx;
  const found = metrics.counter('worker_ledger_checks_total', 'Checks of the ledger', ['result']);
  const queue = openQueue<LedgerJob>(around, {
    name: NAME,
    options: {},
    concurrency: 1,
    handle: async ({ id, data, signal }) => {
      assertVersion(data, LEDGER_JOB_VERSION);
      const { isBalanced, problems, transactions } = await o.checkLedger({ signal, requestId: id });
      const result = isBalanced && problems.length === 0 ? 'balanced' : 'unbalanced';
      found.inc({ result });
      const about = { jobId: id, transactions };
      if (result === 'balanced') logger.info(about, 'the ledger is balanced');
      else {
        const some = { problems: problems.slice(0, TOLD_PROBLEMS), problemCount: problems.length };
        logger.error({ ...about, isBalanced, ...some }, 'the ledger does not add up');
      }
      return result;
    },
  });
  keepSchedule(around.ctx, queue, { id: 'check', everyMs: o.everyMs, data: { version: LEDGER_JOB_VERSION } });
  return queue;
}
