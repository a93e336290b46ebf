import { createHash } from 'node:crypto';
import type { FastifyReply } from 'fastify';

/** Markup that is safe to show: made by `html` alone. */
export class Html {
  readonly markup: string;

  constructor(markup: string) {
    this.markup = markup;
  }
}

type Part = Html | string | number | readonly Html[] | undefined;

/** Markup with values in it. Whatever is no `Html` is text, in elements and quoted attributes alike; undefined is nothing. */
export function html(markup: TemplateStringsArray, ...parts: Part[]): Html {
  return new Html(markup.reduce((before, text, index) => `${before}${shown(parts[index - 1])}${text}`));
}

function shown(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Html) return part.markup;
  if (typeof part === 'object') return part.map(({ markup }) => markup).join('');
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

const escaped = (text: string): string => text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? '');

export interface Page {
  readonly title: string;
  readonly body: Html;
  /** 200 if not given. */
  readonly status?: number;
  /** Says on top that no money moves. */
  readonly isSandbox?: boolean;
  /** Goes on by itself; `to` is this page again without it. */
  readonly refresh?: { readonly seconds: number; readonly to?: string };
}

const STYLE = `:root{color-scheme:light dark;--ink:#1c2430;--paper:#fff;--edge:#c9d0da;--soft:#f3f5f8;--main:#1f5fae;--on-main:#fff;--bad:#a4262c;--warn:#fff4d6;--on-warn:#5b4300}
@media (prefers-color-scheme:dark){:root{--ink:#e6eaf0;--paper:#161b22;--edge:#3b4554;--soft:#1f2630;--main:#6aa6ee;--on-main:#0b1420;--bad:#ff8f8f;--warn:#4a3a08;--on-warn:#ffe9ad}}
*{box-sizing:border-box}
body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}
header,main,footer{max-width:44rem;margin:0 auto;padding:1rem}
header{font-weight:600;border-bottom:1px solid var(--edge)}
footer{font-size:.875rem;opacity:.8}
h1{font-size:1.6rem;line-height:1.25;margin:.5rem 0 1rem}
h2{font-size:1.15rem;margin:2rem 0 .5rem}
a{color:var(--main)}
form{margin:1rem 0}
label{display:block;margin:.75rem 0 .25rem;font-weight:600}
input,select,button,.button{font:inherit;color:inherit;border:1px solid var(--edge);border-radius:.4rem;padding:.5rem .75rem;background:var(--paper)}
input:not([type=radio]):not([type=checkbox]),select{width:100%;max-width:26rem;display:block}
button,.button{display:inline-block;margin:1rem .5rem 0 0;font-weight:600;text-decoration:none;cursor:pointer}
button.main,.button.main{background:var(--main);border-color:var(--main);color:var(--on-main)}
button.plain{border:0;padding:0;margin:0;background:none;color:var(--main);text-decoration:underline;font-weight:400}
:focus-visible{outline:3px solid var(--main);outline-offset:2px}
fieldset{border:0;padding:0;margin:0}
legend{font-weight:600;padding:0}
.choice{display:flex;flex-wrap:wrap;gap:.25rem .75rem;align-items:center;border:1px solid var(--edge);border-radius:.4rem;padding:.75rem 1rem;margin:.5rem 0;font-weight:400;cursor:pointer}
.choice:has(:checked){border-color:var(--main);box-shadow:inset 0 0 0 1px var(--main)}
.choice b{flex:1 0 auto}
.choice i{font-style:normal;font-weight:600;min-width:7rem;margin-left:auto;text-align:right}
table{border-collapse:collapse;width:100%;margin:1rem 0}
th,td{text-align:left;padding:.45rem .75rem .45rem 0;border-bottom:1px solid var(--edge);vertical-align:top}
th{font-weight:600}
tbody th{width:11rem}
tbody th+td{overflow-wrap:anywhere}
details{margin:1rem 0}
.note{background:var(--soft);border:1px solid var(--edge);border-radius:.4rem;padding:.75rem 1rem}
.error{color:var(--bad);border-color:var(--bad)}
.sandbox{background:var(--warn);color:var(--on-warn);text-align:center;padding:.5rem 1rem;font-weight:600}
@media (max-width:30rem){tbody th{width:7rem}th,td{padding-right:.5rem}}
@media print{form,.button,.screen{display:none}body{background:#fff;color:#000}}`;

// The one style that the pages may have, and nothing that runs; forms go nowhere else, and no page shows them inside its own.
const POLICY = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

/** The frame of every page for browsers. Works without JavaScript, loads nothing, is kept by no cache, and tells no other site its address. */
export function sendPage(reply: FastifyReply, { title, body, status = 200, isSandbox, refresh }: Page): FastifyReply {
  const again = refresh && `${refresh.seconds}${refresh.to === undefined ? '' : `; url=${refresh.to}`}`;
  const page = html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
${again === undefined ? undefined : html`<meta http-equiv="refresh" content="${again}">\n`}<title>${title} · Coffer</title>
<style>${new Html(STYLE)}</style>
</head>
<body>
${isSandbox ? html`<div class="sandbox" role="note">Sandbox: this is for trying out, and no money moves.</div>\n` : undefined}<header>Coffer</header>
<main>
<h1>${title}</h1>
${body}
</main>
</body>
</html>
`;
  return reply
    .code(status)
    .type('text/html; charset=utf-8')
    .headers({
      'content-security-policy': POLICY,
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    })
    .send(page.markup);
}
