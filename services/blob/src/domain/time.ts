import { appError } from '@coffer/service-kit';

/** @throws `invalid_query` */
export function parseTime(text: string, name: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw appError('invalid_query', `${name} is not a time`);
  return time;
}
