import { appError, isAppError } from '@coffer/service-kit';
import { hasCode } from './files.ts';

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
  fatal(fields: object, message: string): void;
}

/**
 * What a failure of the filesystem means to the caller. A failing disk (EIO) stays an internal error to clients, but is
 * said as loudly as a log can: it is the one error that an operator must act on at once.
 */
export function storeError(error: unknown, log: Log): unknown {
  if (isAppError(error)) return error;
  if (hasCode(error, 'ENOSPC', 'EDQUOT')) return appError('disk_full', undefined, { cause: error });
  if (hasCode(error, 'EROFS', 'EACCES', 'EPERM')) return appError('read_only_store', undefined, { cause: error });
  if (hasCode(error, 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN')) {
    return appError('unavailable', 'The store has too much to do', { cause: error, headers: { 'retry-after': '1' } });
  }
  if (hasCode(error, 'EIO', 'EUCLEAN', 'ENODEV', 'ENXIO', 'ESTALE')) {
    log.fatal({ err: error }, 'the disk fails: bytes may be lost, look at it now');
  }
  return error;
}
