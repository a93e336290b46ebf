import { setTimeout as delay } from 'node:timers/promises';
import type { Principal, Revocation } from '@coffer/contracts';
import { createApp, createTestContext } from '@coffer/service-kit';
import t from 'tap';
import { createRevocations } from '../src/auth/revocations.ts';
import { DIALECTS_PATTERN } from '../src/config.ts';
import { openDoor, refusalOf, refuseOtherMethods } from '../src/dialects/common/dialect.ts';
import { fieldsOf, takeAnyFields } from '../src/dialects/common/fields.ts';
import { everyItem } from '../src/dialects/common/pages.ts';
import { createSessionKeys } from '../src/dialects/common/sessions.ts';
import { readSignedPath, signPath } from '../src/domain/signed-paths.ts';
import type { Gateway } from '../src/gateway.ts';
import { handleExpectations } from '../src/uploads/expect.ts';

const ACCOUNT = '01890000-0000-7000-8000-000000000001';
const NODE = '01890000-0000-7000-8000-000000000002';
const SESSION = '01890000-0000-7000-8000-000000000003';
const SECRET = 'a secret of thirty-two characters';

t.test('signed paths', (t) => {
  const facts = { nodeId: NODE, accountId: ACCOUNT };
  const path = signPath(SECRET, 'view', facts);
  t.match(path, /^[\w-]{90,104}$/, 'one URL-safe segment');
  t.same(readSignedPath(SECRET, 'view', path), { ...facts, epoch: 0 });
  t.equal(readSignedPath(SECRET, 'media', path), null, 'of another purpose');
  t.equal(readSignedPath(`${SECRET}!`, 'view', path), null, 'of another installation');
  for (const [n, sign] of [...path].entries()) {
    const forged = `${path.slice(0, n)}${sign === 'A' ? 'B' : 'A'}${path.slice(n + 1)}`;
    if (readSignedPath(SECRET, 'view', forged) !== null) t.fail(`forged at ${n}`);
  }
  for (const bad of ['', path.slice(1), path.slice(0, -1), `${path}A`, `${path}=`, `${path} `, 'é', '..']) {
    t.equal(readSignedPath(SECRET, 'view', bad), null, bad);
  }
  t.same(
    readSignedPath(SECRET, 'view', signPath(SECRET, 'view', { ...facts, expiresAtMs: Date.now() + 60_000, epoch: 7 })),
    { ...facts, epoch: 7 },
  );
  t.equal(readSignedPath(SECRET, 'view', signPath(SECRET, 'view', { ...facts, expiresAtMs: Date.now() - 1 })), null);
  t.end();
});

t.test('session keys are asked about once, and forgotten with their session or account', async (t) => {
  const principal: Principal = { accountId: ACCOUNT, role: 'user', sessionId: SESSION, readOnly: false };
  const revocations = createRevocations();
  let asked = 0;
  const keys = createSessionKeys({
    revocations,
    ask: async () => {
      asked += 1;
      return { principal, expiresAt: new Date(Date.now() + 60_000).toISOString() };
    },
  });
  const revoked = (kind: Revocation['kind'], id: string): Revocation => ({ kind, id, at: new Date().toISOString() });
  await Promise.all([keys.verify('k', 'vertex'), keys.verify('k', 'vertex')]);
  t.same(await keys.verify('k', 'vertex'), principal);
  t.equal(asked, 1);
  await keys.verify('k', 'images');
  t.equal(asked, 2, 'a key of one door is nothing at another');
  revocations.add([revoked('session', SESSION)]);
  await keys.verify('k', 'vertex');
  t.equal(asked, 3);
  revocations.add([revoked('account', ACCOUNT)]);
  await keys.verify('k', 'vertex');
  t.equal(asked, 4);
  const older = keys.verify('other', 'vertex');
  revocations.add([revoked('session', SESSION)]);
  const newer = keys.verify('other', 'vertex');
  await Promise.all([older, newer]);
  t.equal(asked, 6, 'who comes after a revocation does not get an answer from before it');
  await keys.verify('other', 'vertex');
  t.equal(asked, 6);
  await t.rejects(keys.verify('x'.repeat(300), 'vertex'), { code: 'invalid_token' });
  await t.rejects(keys.verify('', 'vertex'), { code: 'invalid_token' });
  t.equal(asked, 6);
});

t.test('every item of a list', async (t) => {
  const pages = [
    { items: [1, 2], nextCursor: 'a' },
    { items: [], nextCursor: 'b' },
    { items: [3], nextCursor: null },
  ];
  const cursors: (string | undefined)[] = [];
  const items: number[] = [];
  for await (const item of everyItem(
    async (cursor) => pages[cursors.push(cursor) - 1] ?? { items: [], nextCursor: null },
  ))
    items.push(item);
  t.same(items, [1, 2, 3]);
  t.same(cursors, [undefined, 'a', 'b']);
});

t.test('fields, however they are sent', async (t) => {
  const ctx = createTestContext('gateway');
  const app = createApp(ctx, { internal: false });
  // Fields need the time that a body may take, and nothing else.
  const gateway = { ctx, config: { BODY_IDLE_SECONDS: 1 } } as Gateway;
  handleExpectations(app);
  app.register((scope, _options, done) => {
    openDoor(scope, gateway, {
      name: 'vertex',
      register(door) {
        door.setErrorHandler((error, request, reply) => {
          const { code, status } = refusalOf(gateway, error, request);
          return reply.code(status).send({ dialect: code });
        });
        takeAnyFields(door);
        door.route({
          method: ['GET', 'POST', 'DELETE'],
          url: '/fields',
          config: { op: 'test.fields' },
          handler: async (request) => await fieldsOf(gateway, request),
        });
        refuseOtherMethods(
          door,
          { '/fields': ['GET', 'POST', 'DELETE'] },
          { op: 'test.refuse', answer: (_request, reply) => reply.code(405).send({ dialect: 'no' }) },
        );
      },
    });
    done();
  });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => app.close());
  const send = async (method: string, type: string | undefined, body: string | Buffer, query = '') => {
    const head = `${method} /fields${query} HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
    return await exchange(url, [`${head}${type === undefined ? '' : `content-type: ${type}\r\n`}\r\n`, body]);
  };
  const form = (...parts: string[]) =>
    `${parts.map((part) => `--b\r\ncontent-disposition: form-data; ${part}\r\n`).join('')}--b--\r\n`;
  const FORM = 'multipart/form-data; boundary=b';

  const good: [string, string | undefined, string, string, object][] = [
    [
      'POST',
      'application/json',
      '{"a":"1","b":2,"c":true,"d":null,"e":{"x":1},"f":["y","z"]}',
      '',
      { a: '1', b: '2', c: 'true', f: 'y' },
    ],
    ['POST', 'application/json; charset=utf-8', '{"a":"é"}', '', { a: 'é' }],
    ['POST', 'application/json', '', '', {}],
    [
      'POST',
      'application/json',
      '{"__proto__":"x","constructor":"y"}',
      '',
      JSON.parse('{"__proto__":"x","constructor":"y"}'),
    ],
    ['POST', 'application/x-www-form-urlencoded', 'a=1+2&b=%C3%A9&a=3', '', { a: '1 2', b: 'é' }],
    ['POST', 'text/plain', '{"a":"1"}', '', { a: '1' }],
    ['POST', 'text/plain;charset=UTF-8', 'a=1', '', { a: '1' }],
    ['POST', undefined, '{"a":"1"}', '', { a: '1' }],
    ['POST', undefined, 'a=1', '?a=2&c=3', { a: '1', c: '3' }],
    ['POST', undefined, '', '?a=2', { a: '2' }],
    ['DELETE', undefined, '', '?a=2', { a: '2' }],
    ['DELETE', 'application/json', '{"a":1}', '', { a: '1' }],
    ['GET', 'application/json', '{"a":"1"}', '?b=2', { a: '1', b: '2' }],
    ['GET', undefined, 'a=1', '', { a: '1' }],
    ['GET', FORM, form('name="a"\r\n\r\n1'), '', { a: '1' }],
    [
      'POST',
      FORM,
      form('name="a"\r\n\r\n1', 'name="b"; filename="x.txt"\r\n\r\n2', 'name="a"\r\n\r\n3'),
      '?c=4',
      { a: '1', b: '2', c: '4' },
    ],
  ];
  for (const [method, type, body, query, fields] of good) {
    const reply = await send(method, type, body, query);
    t.equal(reply.status, 200, `${method} ${type} ${body}`);
    t.same(JSON.parse(reply.body), fields, `${method} ${type} ${body}`);
  }
  const bad: [string, string | undefined, string | Buffer, string][] = [
    ['POST', 'application/json', '{', 'invalid_body'],
    ['POST', 'application/json', '[]', 'invalid_body'],
    ['POST', 'application/json', '"a"', 'invalid_body'],
    ['POST', 'application/json', Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_body'],
    ['POST', undefined, '{"a"', 'invalid_body'],
    ['GET', 'application/json', '{', 'invalid_body'],
    ['POST', 'no type', 'a=1', 'unsupported_media_type'],
    ['POST', 'multipart/form-data', form('name="a"\r\n\r\n1'), 'invalid_body'],
    ['POST', FORM, '--b\r\ncontent-disp', 'invalid_body'],
    ['POST', FORM, form(`name="a"\r\n\r\n${'x'.repeat(70_000)}`), 'invalid_body'],
    ['POST', FORM, form(...Array.from({ length: 70 }, (_, n) => `name="${n}"\r\n\r\n1`)), 'invalid_body'],
    ['POST', undefined, Array.from({ length: 70 }, (_, n) => `f${n}=1`).join('&'), 'invalid_body'],
    ['POST', 'application/json', `{"a":"${'x'.repeat(70_000)}"}`, 'invalid_body'],
    ['POST', 'application/json', `{"a":"${'x'.repeat(1_100_000)}"}`, 'too_large'],
    ['GET', 'application/json', `{"a":"${'x'.repeat(1_100_000)}"}`, 'too_large'],
    ['PUT', 'application/json', '{', 'no'],
    ['PATCH', 'no type', '', 'no'],
  ];
  for (const [method, type, body, code] of bad) {
    const reply = await send(method, type, body);
    t.match(reply.body, `{"dialect":"${code}"}`, `${method} ${type} ${body.toString().slice(0, 40)}`);
  }
  t.match(await send('PUT', undefined, ''), { status: 405, head: /allow: GET, HEAD, POST, DELETE/i });

  const waiting = form('name="a"\r\n\r\n1');
  const head = `POST /fields HTTP/1.1\r\nhost: a\r\nconnection: close\r\nexpect: 100-continue\r\ncontent-type: ${FORM}\r\ncontent-length: ${waiting.length}\r\n\r\n`;
  t.match(await exchange(url, [head, 100, waiting]), { interim: true, status: 200, body: '{"a":"1"}' });
  const stuck = await exchange(url, [
    'GET /fields HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-length: 9\r\n\r\n{',
  ]);
  t.match(stuck, { status: 408, body: '{"dialect":"request_timeout"}' }, 'a body that does not come');
});

t.test('the doors that are open', (t) => {
  const pattern = new RegExp(DIALECTS_PATTERN);
  for (const good of ['none', 'vertex', 'cloudrest,images,vertex,cloudbox,minobject']) t.match(good, pattern);
  for (const bad of ['vertexx', 'vertex,', 'vertex images', 'all']) t.notMatch(bad, pattern);
  t.end();
});

/** Bytes on a socket, pauses in milliseconds between them. */
async function exchange(url: string, pieces: (string | Buffer | number)[]) {
  const { connect } = await import('node:net');
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  const closed = new Promise<void>((resolve) => socket.on('close', () => resolve()).on('error', () => {}));
  for (const piece of pieces) {
    if (typeof piece === 'number') await delay(piece);
    else socket.write(piece);
  }
  await closed;
  const text = Buffer.concat(received).toString();
  const interim = text.startsWith('HTTP/1.1 100');
  const [head = '', body = ''] = (interim ? text.slice(text.indexOf('\r\n\r\n') + 4) : text).split('\r\n\r\n');
  return { interim, status: Number(head.slice(9, 12)), head, body };
}
