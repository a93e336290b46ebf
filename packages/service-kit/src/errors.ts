import { type ErrorCode, errorCodes } from '@coffer/contracts';

export interface FieldError {
  /** Where in the body, query or parameters, as a JSON pointer (RFC 6901). */
  path: string;
  message: string;
}

/** An RFC 9457 problem document, with the product's own members. */
export interface Problem {
  type: string;
  title: string;
  status: number;
  code: ErrorCode;
  detail: string;
  requestId: string;
  errors: FieldError[];
}

interface Extra {
  errors?: FieldError[] | undefined;
  headers?: Record<string, string> | undefined;
  cause?: unknown;
}

/**
 * The one class of expected failures, in every service and on both sides of a call. Its detail and errors are shown to
 * clients, so they hold nothing of the inside; that goes into `cause`, which is only logged.
 */
export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  declare readonly errors?: FieldError[];
  /** Headers that belong to the answer, such as `retry-after` or `content-range`. */
  declare readonly headers?: Record<string, string>;

  constructor(code: ErrorCode, detail?: string, extra: Extra = {}) {
    const [status, title] = errorCodes[code];
    super(detail ?? title, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = status;
    this.title = title;
    this.detail = detail ?? title;
    if (extra.errors !== undefined) this.errors = extra.errors;
    if (extra.headers !== undefined) this.headers = extra.headers;
  }
}

/** Makes (and does not throw) an error of the closed set. `detail` defaults to the code's title. */
export function appError(code: ErrorCode, detail?: string, extra?: Extra): AppError {
  // Expected failures are part of normal traffic; walking the stack for each is most of their cost.
  const limit = Error.stackTraceLimit;
  if (errorCodes[code][0] < 500) Error.stackTraceLimit = 0;
  try {
    return new AppError(code, detail, extra);
  } finally {
    Error.stackTraceLimit = limit;
  }
}

export function isAppError(e: unknown, code?: ErrorCode): e is AppError {
  return e instanceof AppError && (code === undefined || e.code === code);
}

/** What of a Fastify error is looked at; its messages are not passed on unless they are known to be harmless. */
interface FrameworkError {
  code?: unknown;
  statusCode?: unknown;
  validation?: unknown;
  validationContext?: unknown;
}

const frameworkCodes: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: ['too_large', 'The body is larger than this resource takes'],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'This resource does not take bodies of that type'],
  FST_ERR_CTP_EMPTY_TYPE: ['unsupported_media_type', 'The Content-Type is empty'],
  FST_ERR_CTP_EMPTY_JSON_BODY: ['invalid_body', 'The body is empty where JSON is expected'],
  FST_ERR_CTP_INVALID_JSON_BODY: ['invalid_body', 'The body is not valid JSON'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['size_mismatch', 'The body does not have the announced length'],
  FST_ERR_BAD_URL: ['bad_request', 'The path is not validly percent-encoded'],
  FST_ERR_MAX_PARAM_LENGTH: ['uri_too_long', 'A part of the path is too long'],
  FST_ERR_NOT_FOUND: ['not_found', 'There is no such resource'],
  FST_ERR_HANDLER_TIMEOUT: ['timeout', 'The work was not done in time'],
};
const validationCodes: Readonly<Record<string, ErrorCode>> = {
  body: 'invalid_body',
  querystring: 'invalid_query',
  params: 'invalid_parameter',
  headers: 'invalid_header',
};

/** Any error as an AppError: ours as it is, the framework's by its code, everything else as `internal` with it as the cause. */
export function toAppError(e: unknown): AppError {
  if (e instanceof AppError) return e;
  if (typeof e !== 'object' || e === null) return appError('internal', undefined, { cause: e });
  const error: FrameworkError = e;
  if (Array.isArray(error.validation)) {
    const errors = error.validation.map(fieldError);
    const code = validationCodes[String(error.validationContext)] ?? 'bad_request';
    return appError(code, errors[0] && `${errors[0].path || 'It'} ${errors[0].message}`, { errors, cause: e });
  }
  const known = typeof error.code === 'string' ? frameworkCodes[error.code] : undefined;
  if (known) return appError(known[0], known[1], { cause: e });
  if (e instanceof SyntaxError && error.statusCode === 400) {
    return appError('invalid_body', 'The body is not valid JSON', { cause: e });
  }
  const status = typeof error.statusCode === 'number' ? error.statusCode : 500;
  if (status >= 400 && status < 500) return appError(clientCode(status), undefined, { cause: e });
  return appError('internal', undefined, { cause: e });
}

/** Any error as the answer to give: status, headers and an RFC 9457 body. Unknown errors show nothing of the inside. */
export function toProblem(
  e: unknown,
  requestId: string,
): { status: number; headers: Record<string, string>; body: Problem } {
  const error = toAppError(e);
  const { status, title, code, detail } = error;
  return {
    status,
    headers: error.headers ?? {},
    body: { type: 'about:blank', title, status, code, detail, requestId, errors: error.errors ?? [] },
  };
}

function clientCode(status: number): ErrorCode {
  for (const [code, [known]] of Object.entries(errorCodes)) {
    if (known === status && isErrorCode(code)) return code;
  }
  return 'bad_request';
}

/** Whether an operator should look at it: what the product is built to answer in its normal life is none of it. */
export function isFault({ status, code }: AppError): boolean {
  return status >= 500 && code !== 'unavailable' && code !== 'quota_exceeded';
}

export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCodes, code);
}

/** An AJV error with the place it is about; for a missing or unknown property that is the property itself. */
export function fieldError(e: {
  instancePath?: string;
  message?: string | undefined;
  keyword?: string;
  params?: unknown;
}): FieldError {
  const params: Record<string, unknown> = typeof e.params === 'object' && e.params !== null ? { ...e.params } : {};
  const path = e.instancePath ?? '';
  if (e.keyword === 'required') return { path: `${path}/${String(params.missingProperty)}`, message: 'is required' };
  if (e.keyword === 'additionalProperties') {
    return { path: `${path}/${String(params.additionalProperty)}`, message: 'is not known here' };
  }
  if (e.keyword === 'const') return { path, message: `must be ${JSON.stringify(params.allowedValue)}` };
  return { path, message: e.message ?? 'is not valid' };
}
