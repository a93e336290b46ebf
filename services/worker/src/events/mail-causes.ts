import { type EventData, type EventEnvelope, type EventName, events } from '@coffer/contracts';
import type { ServiceContext } from '@coffer/service-kit';
import { Value } from 'typebox/value';
import { MAIL_JOB_VERSION, type MailJob, type MailQueue, mailJobId } from '../queues/mail.ts';

/** The events that ask for mails. */
export const mailCauses = [
  'passwordResetRequested',
  'passwordReset',
  'nodeShared',
  'paymentSettled',
  'subscriptionEnding',
  'spaceRunningOut',
] as const satisfies EventName[];
export type MailCause = (typeof mailCauses)[number];

// Then another instance may try, whose way to Redis may be better.
const HOLD_MS = 15_000;
const BACKOFF_MS = [200, 500, 1_000, 2_000, 5_000];

/**
 * Puts the mails that events ask for into the queue. While Redis is away an event is held, a few at a time (the rest waits on the bus), and where
 * the process ends meanwhile it comes again, without a limit: what fails here is Redis, never the event. The request that caused it has long
 * been answered.
 */
export function consumeMailCauses(ctx: ServiceContext, queue: MailQueue): void {
  for (const cause of mailCauses) {
    const { type } = events[cause];
    ctx.bus.consume({
      durable: `worker-mail-${type.replaceAll('.', '-')}`,
      subject: type,
      maxDeliver: Number.POSITIVE_INFINITY,
      backoffMs: BACKOFF_MS,
      handler: async (event) => {
        const jobs = mailJobsFor(cause, event);
        if (jobs === undefined) {
          // It would be no better the next time, and it stays in the stream for whoever looks into it.
          ctx.logger.error({ eventId: event.id, type, schema: event.schema }, 'an event is not as its schema says');
          return;
        }
        if (jobs.length === 0) return;
        await queue.ready(AbortSignal.any([ctx.shutdown.signal, AbortSignal.timeout(HOLD_MS)]));
        await Promise.all(jobs.map((job) => queue.add(mailJobId(event, job.to), job)));
      },
    });
  }
}

/** The mails that an event asks for; undefined where it is not as its schema says. */
export function mailJobsFor(cause: MailCause, event: EventEnvelope): MailJob[] | undefined {
  const { at, traceparent } = event;
  const common = { version: MAIL_JOB_VERSION, at, ...(traceparent === undefined ? {} : { traceparent }) };
  const reset = read('passwordResetRequested', cause, event);
  if (reset) return [{ ...common, kind: 'password-reset', to: reset.accountId, resetId: reset.resetId }];
  const changed = read('passwordReset', cause, event);
  if (changed) return [{ ...common, kind: 'password-changed', to: changed.accountId }];
  const settled = read('paymentSettled', cause, event);
  if (settled) {
    const kind = settled.status === 'success' ? 'receipt' : 'refund';
    return [{ ...common, kind, to: settled.accountId, paymentId: settled.paymentId }];
  }
  const ending = read('subscriptionEnding', cause, event);
  if (ending) {
    const { accountId: to, planId, periodEnd, days } = ending;
    return [{ ...common, kind: 'subscription-ending', to, planId, periodEnd, days }];
  }
  const space = read('spaceRunningOut', cause, event);
  if (space) return [{ ...common, kind: 'space-running-out', to: space.accountId, percent: space.percent }];
  const shared = read('nodeShared', cause, event);
  if (!shared) return undefined;
  if (!shared.notify) return [];
  const { nodeId, by } = shared;
  // Somebody who gives rights to themselves knows it.
  const people = [...new Set(shared.accountIds)].filter((one) => one !== by);
  return people.map((to) => ({ ...common, kind: 'shared', to, nodeId, by }));
}

function read<N extends MailCause>(name: N, cause: MailCause, event: EventEnvelope): EventData<N> | undefined {
  if (name !== cause) return undefined;
  const { schema, data } = events[name];
  // Checked against the very schema that the type is derived from.
  return event.schema === schema && Value.Check(data, event.data) ? (event.data as EventData<N>) : undefined;
}
