import type { PartError, PartHead, Principal } from '@coffer/contracts';
import type { CallOptions } from './client.ts';
import type { ServiceContext } from './context.ts';
import { type AppError, appError, isErrorCode, isFault, toAppError } from './errors.ts';
import { newId } from './ids.ts';
import { signPrincipal, verifyPrincipal } from './principal.ts';
import { childTraceparent, traceIdOf } from './trace.ts';

/** One of several requests that came in one call, as its handler sees it. */
export interface Part {
  readonly requestId: string;
  readonly traceparent: string;
  /** Throws `unauthorized` where nobody asks, or the signature is not ours. */
  principal(): Principal;
}

/** What a request's headers would have said, for a call that it shares with others. */
export function partHeadOf(ctx: ServiceContext, { requestId, traceparent, principal }: CallOptions): PartHead {
  return {
    ...(requestId !== undefined && { requestId }),
    ...(traceparent !== undefined && { traceparent }),
    ...(principal && { principal: signPrincipal(principal, ctx.internalSecret) }),
  };
}

/**
 * Does the work of one part, with an access line and figures of its own under `op`, so that each request can be followed
 * however it travelled. Its failure is its answer and does not concern the others.
 */
export async function answerPart<T extends object>(
  ctx: ServiceContext,
  o: { op: string; head: PartHead; bytesIn?: number },
  work: (part: Part) => Promise<T>,
): Promise<T | PartError> {
  const startedAt = performance.now();
  const { op, head, bytesIn = 0 } = o;
  const requestId = head.requestId ?? newId();
  const traceparent = childTraceparent(head.traceparent);
  let accountId: string | undefined;
  const principal = (): Principal => {
    const who = verifyPrincipal(head.principal, ctx.internalSecret);
    accountId = who.accountId;
    return who;
  };
  ctx.metrics.requestStarted();
  let failed: AppError | undefined;
  try {
    return await work({ requestId, traceparent, principal });
  } catch (error) {
    failed = toAppError(error);
    if (isFault(failed))
      ctx.logger.error({ err: failed.cause ?? failed, op, requestId, accountId }, 'a part of a call failed');
    const { code, detail, errors } = failed;
    return { error: { code, detail, ...(errors && { errors }) } };
  } finally {
    const ms = performance.now() - startedAt;
    const status = failed?.status ?? 200;
    ctx.metrics.requestEnded(op, status, ms / 1000, bytesIn, 0);
    const line = { op, status, ms: Math.round(ms * 100) / 100, bytesIn, accountId, requestId };
    ctx.accessLogger.info({ ...line, traceId: traceIdOf(traceparent), together: true }, 'request');
  }
}

/** The answer of one part, or its error as the one that a call of its own would have been rejected with. */
export function resultOfPart<T extends object>(answer: T | PartError): T | AppError {
  if (!('error' in answer)) return answer;
  const { code, detail, errors } = answer.error;
  return isErrorCode(code) ? appError(code, detail, { errors }) : appError('upstream');
}
