import type { EventEnvelope } from '@coffer/contracts';
import { UnrecoverableError } from 'bullmq';
import { DeliveryError, type Mailer } from '../store/mailer.ts';
import { type Contents, contentsOf, type MailFacts } from './mail-contents.ts';
import { openQueue, type QueueSurroundings, type RunningJob, type WorkQueue } from './queue.ts';

const NAME = 'mail';
const DAY_SECONDS = 24 * 3600;
const OPTIONS = {
  // After 2, 4, 8, … seconds, each up to half of it shorter so that what failed together does not come back together: for about 14 to 18
  // hours, which a mail server's night may last.
  attempts: 16,
  backoff: { type: 'exponential', delay: 2_000, jitter: 0.5 },
  // As long as an event lives on the bus and may come again: until then its id must still be known here.
  removeOnComplete: { age: 8 * DAY_SECONDS },
  removeOnFail: { age: 8 * DAY_SECONDS },
};

/** Raised when a worker of before would misread the data of now. */
export const MAIL_JOB_VERSION = 1;

/**
 * A mail to be written. It names what it is about by ids alone: addresses, names and tokens are asked for when it is written, so
 * that they stand neither on the bus nor in Redis, and are as they are then.
 */
export type MailJob = {
  readonly version: number;
  /** The account that gets the mail. */
  readonly to: string;
  /** When the cause happened, as ISO 8601. */
  readonly at: string;
  readonly traceparent?: string;
} & (
  | { readonly kind: 'password-reset'; readonly resetId: string }
  | { readonly kind: 'password-changed' }
  | { readonly kind: 'shared'; readonly nodeId: string; readonly by: string }
  | { readonly kind: 'receipt'; readonly paymentId: string }
  | { readonly kind: 'refund'; readonly paymentId: string }
  | {
      readonly kind: 'subscription-ending';
      readonly planId: string;
      readonly periodEnd: string;
      /** Before the end; 0: it has ended. */
      readonly days: number;
    }
  | { readonly kind: 'space-running-out'; readonly percent: number }
);
export type MailKind = MailJob['kind'];

/** People who wait before their screen come first, then what concerns an account's safety, then money, then news. */
const PRIORITIES: Readonly<Record<MailKind, number | undefined>> = {
  'password-reset': undefined,
  'password-changed': 1,
  receipt: 2,
  refund: 2,
  'subscription-ending': 3,
  'space-running-out': 3,
  shared: 4,
};
export const priorityOf = (job: MailJob): number | undefined => PRIORITIES[job.kind];

/**
 * One mail per event and person, however often the event comes: the same id each time. It is a file's name and part of a
 * Message-ID as well.
 */
export const mailJobId = (event: Pick<EventEnvelope, 'id'>, to: string): string => `${event.id}_${to}`;

export interface MailQueue {
  readonly work: WorkQueue<MailJob>;
  /** See `WorkQueue.ready`. */
  ready(signal: AbortSignal): Promise<void>;
  /** See `WorkQueue.add`. The id is `mailJobId`'s. */
  add(id: string, job: MailJob): Promise<void>;
}

export interface MailQueueOptions {
  readonly concurrency: number;
  readonly publicUrl: string;
  readonly mailer: Mailer;
  readonly facts: MailFacts;
}

/** The queue `mail`: each job is one mail to one account. */
export function openMailQueue(around: QueueSurroundings, o: MailQueueOptions): MailQueue {
  const { concurrency } = o;
  const queue = openQueue<MailJob>(around, {
    name: NAME,
    options: OPTIONS,
    concurrency,
    handle: (job) => write(job, o),
  });
  return {
    work: queue,
    ready: queue.ready,
    add: async (id, data) => {
      const priority = priorityOf(data);
      await queue.add({ id, data, ...(priority === undefined ? {} : { priority }) });
    },
  };
}

async function write(job: RunningJob<MailJob>, o: MailQueueOptions): Promise<Exclude<Contents, object> | 'sent'> {
  const { id, data, signal } = job;
  // Left by a newer worker, while instances are replaced one by one: one of those will take it.
  if (data.version !== MAIL_JOB_VERSION) throw new Error(`the job's data has version ${data.version}`);
  const call = { signal, requestId: id, traceparent: data.traceparent };
  const made = await contentsOf(data, o.facts, o.publicUrl, call);
  if (typeof made === 'string') return made;
  signal.throwIfAborted();
  try {
    await orAborted(o.mailer.send({ id, to: made.address, at: new Date(data.at), ...made.mail }), signal);
  } catch (error) {
    if (error instanceof DeliveryError && error.permanent) throw new UnrecoverableError(error.message);
    throw error;
  }
  return 'sent';
}

/** Sending cannot be called back; on an abort it is left alone, and the next attempt sends the same Message-ID. */
async function orAborted(sending: Promise<void>, signal: AbortSignal): Promise<void> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    await Promise.race([sending, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}
