export { REQUEST_ID_HEADER, rawProblem } from './answers.ts';
export { type App, createApp, SECRET_HEADER } from './app.ts';
export { type Batcher, createBatcher } from './batcher.ts';
export type { Bus, ConsumeOptions, Instance } from './bus.ts';
export { type CallInput, type CallOptions, type Client, createClient, type SendInput } from './client.ts';
export type { Opened } from './client-exchange.ts';
export { BaseConfig, ConfigError, type ConfigProblem, loadConfig, parseConfig } from './config.ts';
export { createService, createTestContext, type ServiceContext, type TestContextOptions } from './context.ts';
export {
  AppError,
  appError,
  type FieldError,
  isAppError,
  isErrorCode,
  isFault,
  type Problem,
  toAppError,
  toProblem,
} from './errors.ts';
export { consumeFacts } from './facts.ts';
export { newId } from './ids.ts';
export { listen } from './listen.ts';
export { createLogger, type Logger, type LoggerOptions } from './logger.ts';
export { createMetrics, type Metrics } from './metrics.ts';
export { type ReadyChecks, registerOps } from './ops.ts';
export { createOutbox, type Outbox, type OutboxPort } from './outbox.ts';
export { answerPart, type Part, partHeadOf, resultOfPart } from './parts.ts';
export { PRINCIPAL_HEADER, signPrincipal, verifyPrincipal } from './principal.ts';
export type { RequestState } from './request-state.ts';
export { type Handler, type HandlerInput, serve } from './serve.ts';
export { createShutdown, type Shutdown, type ShutdownPhase } from './shutdown.ts';
export { childTraceparent, traceIdOf } from './trace.ts';
