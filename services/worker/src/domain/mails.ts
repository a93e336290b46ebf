/** A mail without its addresses. `html` says the same as `text`. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
}

const MAX_NAME_LENGTH = 200;
const GREETING_END = 'You get this mail because of your Coffer account.';

/** Asked for by somebody who forgot their password, or by somebody else who typed their address. */
export function passwordResetMail(o: { username: string; publicUrl: string; token: string; expiresAt: Date }): Mail {
  const link = `${base(o.publicUrl)}/reset-password?token=${encodeURIComponent(o.token)}`;
  return compose('Set a new password', [
    `Hello ${shown(o.username)},`,
    'somebody, most likely you, asked to set a new password for your account. This link does it, once:',
    { link },
    `It works until ${moment(o.expiresAt)}. A program asks for this token instead:`,
    { code: o.token },
    'If it was not you, do nothing: your password stays as it is.',
  ]);
}

export function passwordChangedMail(o: { username: string; at: Date; publicUrl: string }): Mail {
  return compose('Your password was changed', [
    `Hello ${shown(o.username)},`,
    `a new password was set for your account at ${moment(o.at)}, by a link that we sent to this address. All sessions have ended: log in anew with the new password.`,
    'If it was not you, ask for a link to set another password at once, and see who can read your mail.',
    { link: base(o.publicUrl) },
  ]);
}

export function sharedMail(o: {
  username: string;
  by: string;
  name: string;
  kind: 'file' | 'folder';
  role: 'owner' | 'editor' | 'viewer';
  nodeId: string;
  publicUrl: string;
}): Mail {
  const by = shown(o.by);
  const what = `the ${o.kind} “${shown(o.name)}”`;
  const right = o.role === 'viewer' ? 'You may look at it.' : 'You may look at it and change it.';
  return compose(`${by} shared ${what} with you`, [
    `Hello ${shown(o.username)},`,
    `${by} shared ${what} with you. ${right}`,
    { link: `${base(o.publicUrl)}/v1/nodes/${o.nodeId}` },
  ]);
}

type Paragraph = string | { link: string } | { code: string };

function compose(subject: string, paragraphs: readonly Paragraph[]): Mail {
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

const base = (publicUrl: string): string => publicUrl.replace(/\/+$/, '');

/** `2026-11-21 16:40 UTC`: read the same everywhere. */
const moment = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
