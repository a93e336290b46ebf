/** A mail without its addresses. `html` says the same as `text`. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const MAX_NAME_LENGTH = 200;
const GREETING_END = 'You get this mail because of your Coffer account.';

/** What stands in a mail: words, a link, or something to be copied. */
export type Paragraph = string | { link: string } | { code: string };

export function compose(subject: string, paragraphs: readonly Paragraph[]): Mail {
  const all: readonly Paragraph[] = [...paragraphs, GREETING_END];
  const lines = all.map((one) => (typeof one === 'string' ? one : 'link' in one ? one.link : one.code));
  return {
    subject,
    text: `${lines.join('\n\n')}\n`,
    html: `<!doctype html>\n<meta charset="utf-8">\n${all.map((one) => `<p>${markup(one)}</p>\n`).join('')}`,
  };
}

function markup(one: Paragraph): string {
  if (typeof one === 'string') return escaped(one);
  if ('code' in one) return `<code>${escaped(one.code)}</code>`;
  return `<a href="${escaped(one.link)}">${escaped(one.link)}</a>`;
}

/**
 * A name that somebody chose, as one line of bounded length. A line break would begin a header of its own (RFC 5322, 2.2), and the marks
 * that turn the direction of writing (Unicode, UAX 9) would show the rest of the line as something else.
 */
export function shown(name: string): string {
  const line = name
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029]+/gu, ' ')
    .replace(/[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .trim();
  const letters = [...line];
  return letters.length <= MAX_NAME_LENGTH ? line : `${letters.slice(0, MAX_NAME_LENGTH - 1).join('')}…`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
}

export const base = (publicUrl: string): string => publicUrl.replace(/\/+$/, '');

/** `2026-11-21 16:40 UTC`: read the same everywhere. */
export const moment = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;

/** `2026-11-21`, in UTC. */
export const day = (at: Date): string => at.toISOString().slice(0, 10);
