import type { NodeRecord } from '@coffer/contracts';
import type { OpenedLink } from '../links/open-link.ts';
import type { Children } from '../links/serve-link.ts';
import { formatBytes, formatTime } from './format.ts';
import { type Html, html, type Page } from './page.ts';

/** What a folder link shows: the folder linked to or one below it. */
export interface Shelf extends Children {
  readonly folder: NodeRecord;
  readonly isTop: boolean;
}

/** A link's own address, with what comes after it. */
type At = (tail: string) => string;

export function filePage({ link, node }: OpenedLink, at: At): Page {
  const { mime = '', sizeBytes = 0 } = node.content ?? {};
  const rows = [
    ['Size', formatBytes(sizeBytes)],
    ['Type', mime],
    ['Changed', formatTime(node.modifiedAt)],
    ...limitsOf(link),
  ];
  return {
    title: node.name,
    body: html`${noteOf(link.note)}
<table><tbody>
${rows.map(([name, value]) => html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`)}</tbody></table>
<p><a class="button main" href="${at('/content?download')}">Download</a></p>`,
  };
}

export function folderPage({ link, node }: OpenedLink, shelf: Shelf, at: At): Page {
  const { folder, isTop, items, nextCursor } = shelf;
  const below = isTop ? '' : `parent=${folder.id}&`;
  const up = folder.parentId === node.id ? at('') : at(`?parent=${folder.parentId}`);
  return {
    title: folder.name,
    body: html`${isTop ? noteOf(link.note) : html`<p><a href="${up}">Up</a></p>`}
${items.length === 0 ? html`<p>There is nothing in it.</p>` : tableOf(items, at)}
${nextCursor === null ? undefined : html`<p><a href="${at(`?${below}cursor=${encodeURIComponent(nextCursor)}`)}">More</a></p>`}
${isTop ? html`<p><a class="button main" href="${at('/archive')}">Download all as zip</a></p>` : undefined}
${isTop ? limitsOf(link).map(([name, value]) => html`<p>${name}: ${value}</p>`) : undefined}`,
  };
}

export function dropBoxPage({ link, node }: OpenedLink, at: At, received: boolean): Page {
  return {
    title: node.name,
    body: html`${received ? html`<p class="note" role="status">Your file was received.</p>` : undefined}
${noteOf(link.note)}
<p>Files that you send here can be seen by those who share the folder, and by nobody else who has this link.</p>
<form method="post" action="${at('/files')}" enctype="multipart/form-data">
<label for="file">File</label>
<input id="file" name="file" type="file" required>
<button class="main">Send</button>
</form>
${limitsOf(link).map(([name, value]) => html`<p>${name}: ${value}</p>`)}`,
  };
}

export function passwordPage(at: At, problem?: string): Page {
  return {
    title: 'Password',
    status: 401,
    body: html`${problem === undefined ? undefined : html`<p class="note error" role="alert">${problem}</p>`}
<p>This link asks for a password.</p>
<form method="post" action="${at('')}">
<label for="password">Password</label>
<input id="password" name="password" type="password" autocomplete="off" required>
<button class="main">Open</button>
</form>`,
  };
}

export const refusalPage = (status: number, title: string, detail: string): Page => ({
  title,
  status,
  body: html`<p>${detail}</p>`,
});

function tableOf(items: readonly NodeRecord[], at: At): Html {
  const rowOf = ({ id, kind, name, content, modifiedAt }: NodeRecord): Html => {
    const isFolder = kind === 'folder';
    const address = isFolder ? at(`?parent=${id}`) : at(`/children/${id}/content`);
    const size = isFolder ? 'Folder' : formatBytes(content?.sizeBytes ?? 0);
    return html`<tr><td><a href="${address}">${name}${isFolder ? '/' : ''}</a></td><td>${size}</td><td>${formatTime(modifiedAt)}</td></tr>\n`;
  };
  return html`<table><thead><tr><th scope="col">Name</th><th scope="col">Size</th><th scope="col">Changed</th></tr></thead>
<tbody>
${items.map(rowOf)}</tbody></table>`;
}

const noteOf = (note: string): Html | undefined => (note === '' ? undefined : html`<p class="note">${note}</p>`);

function limitsOf({ expiresAt, maxDownloads, downloads, role }: OpenedLink['link']): [string, string][] {
  return [
    ...(expiresAt === null ? [] : [['Open until', formatTime(expiresAt)] satisfies [string, string]]),
    ...(maxDownloads === null || role === 'dropbox'
      ? []
      : [['Downloads left', String(Math.max(0, maxDownloads - downloads))] satisfies [string, string]]),
  ];
}
