import type { Logger } from './logger.ts';

/** In this order: others stop sending, what is in flight ends, queued work is put away, connections close. */
const PHASES = ['leave', 'drain', 'queues', 'connections'] as const;
export type ShutdownPhase = (typeof PHASES)[number];

const DEADLINES_MS: Readonly<Record<ShutdownPhase, number>> = {
  leave: 2_000,
  drain: 8_000,
  queues: 5_000,
  connections: 3_000,
};

export interface Shutdown {
  /** Steps of one phase run side by side. A failing or late step is logged and does not keep the others from running. */
  onPhase(phase: ShutdownPhase, name: string, fn: () => Promise<void> | void): void;
  /** Runs all phases once; asked again, answers the same promise. Never rejects: see `errors`. */
  run(reason: string): Promise<void>;
  /** Aborted when the shutdown begins: for timers and loops in the background. */
  readonly signal: AbortSignal;
  readonly errors: readonly Error[];
}

export function createShutdown(logger: Logger, deadlinesMs: Partial<Record<ShutdownPhase, number>> = {}): Shutdown {
  const controller = new AbortController();
  const steps: { phase: ShutdownPhase; name: string; fn: () => Promise<void> | void }[] = [];
  const errors: Error[] = [];
  let running: Promise<void> | undefined;

  const runStep = async (name: string, fn: () => Promise<void> | void, deadlineMs: number): Promise<void> => {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`not done within ${deadlineMs} ms`)), deadlineMs);
    });
    try {
      await Promise.race([(async () => fn())(), late]);
    } catch (error) {
      errors.push(new Error(`${name} failed at shutdown`, { cause: error }));
      logger.error({ err: error, step: name }, 'a shutdown step failed');
    } finally {
      clearTimeout(timer);
    }
  };

  const runAll = async (reason: string): Promise<void> => {
    logger.info({ reason }, 'shutting down');
    controller.abort(new Error(`shutting down: ${reason}`));
    for (const phase of PHASES) {
      const ofPhase = steps.filter((step) => step.phase === phase);
      const deadlineMs = deadlinesMs[phase] ?? DEADLINES_MS[phase];
      await Promise.all(ofPhase.map((step) => runStep(`${phase}: ${step.name}`, step.fn, deadlineMs)));
    }
    logger.info({ failed: errors.length }, 'shut down');
  };

  return {
    onPhase: (phase, name, fn) => {
      steps.push({ phase, name, fn });
    },
    run: (reason) => {
      running ??= runAll(reason);
      return running;
    },
    signal: controller.signal,
    errors,
  };
}

/**
 * Ties the shutdown to this process: SIGTERM, SIGINT, SIGHUP and the loss of the process that started it begin it, and the
 * process ends when it is over, with code 1 if a step failed. The same signal a second time ends at once; another one
 * does not, for a terminal's Ctrl-C may reach a process both directly and through its launcher.
 */
export function endWithSignals(shutdown: Shutdown, logger: Logger, flush: () => void): void {
  const seen = new Set<string>();
  const begin = (reason: string): void => {
    if (seen.has(reason)) {
      flush();
      process.exit(1);
    }
    seen.add(reason);
    void shutdown.run(reason).finally(() => {
      flush();
      process.exit(shutdown.errors.length > 0 ? 1 : 0);
    });
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => begin(signal));
  process.on('disconnect', () => begin('the parent process is gone'));
  // It may have died while this process was loading; without a parent to talk to, `connected` is undefined.
  if (process.connected === false) setImmediate(() => begin('the parent process is gone'));
  // The state of the process is unknown after these: say why, and let the supervisor start a fresh one.
  const die = (what: string) => (error: unknown) => {
    logger.fatal({ err: error }, what);
    flush();
    process.exit(1);
  };
  process.on('uncaughtException', die('uncaught exception'));
  process.on('unhandledRejection', die('unhandled rejection'));
}
