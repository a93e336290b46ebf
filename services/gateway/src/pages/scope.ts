import { isUtf8 } from 'node:buffer';
import { type AppError, appError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import Type, { type TProperties } from 'typebox';
import { refusalOf } from '../dialects/common/dialect.ts';
import type { App, Gateway } from '../gateway.ts';
import { html, sendPage } from './page.ts';

const MAX_FORM_BYTES = 32 * 1024;

/** Makes `app` a scope of pages: its forms are parsed, and what fails is answered with a page. */
export function servePages(app: App, gateway: Gateway): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    'application/x-www-form-urlencoded',
    { parseAs: 'buffer', bodyLimit: MAX_FORM_BYTES },
    async (_request: FastifyRequest, body: Buffer) => {
      if (!isUtf8(body)) throw appError('invalid_body', 'The form is not UTF-8');
      return Object.fromEntries(new URLSearchParams(body.toString()));
    },
  );
  app.setErrorHandler((error, request, reply) => sendErrorPage(refusalOf(gateway, error, request), reply));
}

/** The one place where a failure becomes a page. */
export function sendErrorPage(
  { status, title, code, detail, headers = {} }: AppError,
  reply: FastifyReply,
): FastifyReply {
  const isOurs = code === 'internal' || code === 'upstream';
  const text = isOurs ? 'Something went wrong here. Please try again in a while.' : detail;
  return sendPage(reply.headers(headers), {
    title,
    status,
    body: html`<p class="note error" role="alert">${text}</p><p><a href="/pay">Plans and payments</a></p>`,
  });
}

/** A form's fields, with the token that every form of ours carries. */
export const Form = <T extends TProperties>(fields: T) =>
  Type.Object({ token: Type.String({ maxLength: 64 }), ...fields }, { additionalProperties: false });

/**
 * Sends the browser on. Elsewhere (a provider's page) it goes by a page of its own: a form may lead nowhere but here, and browsers hold the
 * redirects that follow it to the same.
 */
export function goTo(request: FastifyRequest, reply: FastifyReply, url: string): FastifyReply {
  const here = `${request.protocol}://${request.host}`;
  const target = new URL(url, here);
  if (target.origin === here)
    return reply.header('cache-control', 'no-store').redirect(target.pathname + target.search, 303);
  return sendPage(reply, {
    title: 'One moment',
    refresh: { seconds: 0, to: url },
    body: html`<p>You are being taken to <a class="button main" href="${url}">${target.host}</a></p>`,
  });
}
