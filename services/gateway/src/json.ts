import { isUtf8 } from 'node:buffer';
import { appError } from '@coffer/service-kit';
import type { App } from './gateway.ts';

/** JSON is the one type whose bodies are parsed, and it is UTF-8 (RFC 8259, 8.1): what is not would be stored as other text than was sent. */
export function takeJson(app: App): void {
  const parse = app.getDefaultJsonParser('error', 'error');
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    if (isUtf8(body)) void parse(request, body.toString(), done);
    else done(appError('invalid_body', 'The body is not UTF-8'));
  });
}
