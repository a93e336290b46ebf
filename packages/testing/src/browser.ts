import type { Http, Reply } from './http.ts';

const MAX_REDIRECTS = 5;

/** What a person sees after a step. */
export interface Shown {
  readonly reply: Reply;
  /** Path and query of where the browser stands. */
  readonly at: string;
}

export interface FormOfPage {
  readonly action: string;
  /** What would be sent if nothing were changed. */
  readonly fields: Readonly<Record<string, string>>;
}

/** A browser without JavaScript: cookies, redirects, forms as they stand in the page. Never leaves the server under test. */
export class Browser {
  readonly #http: Http;
  readonly #cookies = new Map<string, string>();

  constructor(http: Http) {
    this.#http = http;
  }

  /** As the server set them. */
  get cookies(): ReadonlyMap<string, string> {
    return this.#cookies;
  }

  async open(path: string, headers: Record<string, string> = {}): Promise<Shown> {
    return await this.#go('GET', path, headers);
  }

  /** Sends one of the page's forms, with `changes` made to it. Throws where the page has no such form. */
  async submit(page: Shown, action: string, changes: Readonly<Record<string, string>> = {}): Promise<Shown> {
    const form = formsOf(page.reply.text()).find((one) => one.action === action);
    if (form === undefined) throw new Error(`${page.at} has no form for ${action}: ${page.reply.text().slice(-1500)}`);
    return await this.post(action, { ...form.fields, ...changes });
  }

  async post(path: string, fields: Readonly<Record<string, string>>): Promise<Shown> {
    const body = new URLSearchParams(fields).toString();
    return await this.#go('POST', path, { 'content-type': 'application/x-www-form-urlencoded' }, body);
  }

  async #go(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Shown> {
    let reply = await this.#send(method, path, headers, body);
    let at = path;
    for (let hop = 0; reply.status === 302 || reply.status === 303; hop++) {
      if (hop === MAX_REDIRECTS) throw new Error(`${path} leads nowhere`);
      const target = new URL(reply.headers.location ?? '', new URL(at, this.#http.url));
      if (target.origin !== new URL(this.#http.url).origin) throw new Error(`${at} leads to ${target.origin}`);
      at = target.pathname + target.search;
      reply = await this.#send('GET', at, headers);
    }
    return { reply, at };
  }

  async #send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<Reply> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const reply = await this.#http.request(method, path, {
      headers: { accept: 'text/html', ...headers, ...(cookie !== '' && { cookie }) },
      ...(body !== undefined && { body }),
    });
    // Several are joined by `, `, which ours do not hold.
    for (const one of (reply.headers['set-cookie'] ?? '').split(', ')) {
      const [name = '', value = ''] = one.split(';')[0]?.split('=') ?? [];
      if (name === '') continue;
      if (value === '') this.#cookies.delete(name);
      else this.#cookies.set(name, value);
    }
    return reply;
  }
}

/** The forms of a page of ours, whose markup is regular enough for patterns. */
export function formsOf(page: string): FormOfPage[] {
  return [...page.matchAll(/<form [^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/gs)].map(([, action = '', inner = '']) => {
    const fields: Record<string, string> = {};
    for (const [input] of inner.matchAll(/<input [^>]*>/g)) {
      const name = attribute(input, 'name');
      if (name === undefined || (attribute(input, 'type') === 'radio' && !/ checked/.test(input))) continue;
      fields[name] = attribute(input, 'value') ?? '';
    }
    return { action: unescaped(action), fields };
  });
}

function attribute(tag: string, name: string): string | undefined {
  const value = new RegExp(` ${name}="([^"]*)"`).exec(tag)?.[1];
  return value === undefined ? undefined : unescaped(value);
}

const unescaped = (text: string): string =>
  text
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&amp;', '&');
