/** Requests that must be refused: each with the status and the code that its client is promised. */
import { createHash } from 'node:crypto';
import { multipart, PASSWORD, type Part } from '../src/index.ts';

export const ABSENT = '00000000-0000-7000-8000-000000000000';

/** What is there before any case is tried. */
export interface Scene {
  readonly fileId: string;
  readonly folderId: string;
  readonly versionId: string;
  readonly keyId: string;
  readonly userToken: string;
  readonly readOnlyKey: string;
  /** Absent where no operator is known; their cases are left out then. */
  readonly operatorToken?: string;
  readonly accountId: string;
  readonly accessToken: string;
}

export interface BadCase {
  readonly name: string;
  readonly method: string;
  /** The request target as it goes over the wire. */
  readonly path: string;
  /** Header fields; `authorization` is the user's unless it is named here (null: none). */
  readonly headers?: Readonly<Record<string, string | null>>;
  readonly body?: string | Buffer;
  readonly status: number;
  readonly code: string;
}

interface Route {
  readonly method: string;
  readonly path: string;
  /** A body that would be taken. */
  readonly good: Readonly<Record<string, unknown>>;
  readonly auth?: 'none' | 'operator';
}

const json = { 'content-type': 'application/json' };

function jsonRoutes({ fileId, folderId, accountId }: Scene): Route[] {
  const account = { username: 'badinput', email: 'badinput@example.org', password: PASSWORD };
  return [
    { method: 'POST', path: '/v1/accounts', good: account, auth: 'none' },
    { method: 'PATCH', path: '/v1/me', good: { username: 'badinput2' } },
    { method: 'PUT', path: '/v1/me/password', good: { currentPassword: PASSWORD, newPassword: `${PASSWORD}!` } },
    { method: 'POST', path: '/v1/sessions', good: { login: 'badinput', password: PASSWORD }, auth: 'none' },
    { method: 'POST', path: '/v1/sessions/refresh', good: { refreshToken: 'x' }, auth: 'none' },
    { method: 'POST', path: '/v1/keys', good: { name: 'k', access: 'full' } },
    { method: 'PATCH', path: `/v1/nodes/${fileId}`, good: { name: 'renamed' } },
    { method: 'POST', path: `/v1/nodes/${folderId}/children`, good: { name: 'made' } },
    { method: 'POST', path: `/v1/nodes/${fileId}/copy`, good: { parentId: 'root', name: 'copied' } },
    { method: 'PATCH', path: `/v1/admin/accounts/${accountId}`, good: { limitBytes: 1 }, auth: 'operator' },
    // None of them gets through: the account is still there afterwards.
    { method: 'DELETE', path: '/v1/me', good: { password: PASSWORD } },
    {
      method: 'PUT',
      path: `/v1/admin/accounts/${accountId}/plan`,
      good: { planId: 'basic', until: null },
      auth: 'operator',
    },
    { method: 'POST', path: `/v1/admin/payments/${ABSENT}/reverse`, good: { reason: 'x' }, auth: 'operator' },
  ];
}

function headersFor({ auth }: Route, scene: Scene): Record<string, string | null> {
  if (auth === 'none') return { ...json, authorization: null };
  if (auth === 'operator') return { ...json, authorization: scene.operatorToken ?? null };
  return json;
}

/** What no JSON route may take, whatever it is for. */
function brokenJson(scene: Scene): BadCase[] {
  const routes = jsonRoutes(scene).filter(({ auth }) => auth !== 'operator' || scene.operatorToken !== undefined);
  return routes.flatMap((route): BadCase[] => {
    const { method, path, good } = route;
    const headers = headersFor(route, scene);
    const text = JSON.stringify(good);
    const bad = (name: string, body: string | Buffer, rest: Partial<BadCase> = {}): BadCase => ({
      name: `${name}: ${method} ${path}`,
      method,
      path,
      headers,
      body,
      status: 400,
      code: 'invalid_body',
      ...rest,
    });
    return [
      bad('cut JSON', text.slice(0, -1)),
      bad('JSON and more', `${text}}`),
      bad('no JSON at all', 'name=value'),
      bad('an empty body', ''),
      bad('a list', '[]'),
      bad('null', 'null'),
      bad('a text', '"text"'),
      bad('an unknown field', JSON.stringify({ ...good, extra: 1 })),
      bad('a poisoned prototype', text.replace('{', '{"__proto__":{"admin":true},')),
      bad('every field a list', JSON.stringify(Object.fromEntries(Object.keys(good).map((name) => [name, [1]])))),
      ...(text.includes(':"')
        ? [bad('bytes that are no UTF-8', Buffer.from(text.replace(':"', ':"\xff\xfe'), 'latin1'))]
        : []),
      bad('2 MiB', JSON.stringify({ ...good, extra: 'x'.repeat(2 << 20) }), { status: 413, code: 'too_large' }),
      bad('another media type', text, {
        headers: { ...headers, 'content-type': 'text/plain' },
        status: 415,
        code: 'unsupported_media_type',
      }),
    ];
  });
}

/** Values that a field of a JSON body must not have. */
function badFields(scene: Scene): BadCase[] {
  const [accounts, me, password, sessions, refresh, keys, node, children, copy, admin, deletion, plan, reversal] =
    jsonRoutes(scene);
  const long = 'x'.repeat(300);
  const many = Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, 'v']));
  const heavy = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`k${n}`, 'v'.repeat(4000)]));
  const badNames = ['', '.', '..', 'a/b', '/', 'a\0b', 'x'.repeat(256), 'é'.repeat(128), '\ud800'];
  const table: [route: Route | undefined, field: string, values: unknown[], status?: number, code?: string][] = [
    [accounts, 'username', [5, null, '', 'x'.repeat(65), {}]],
    [accounts, 'username', ['has@sign', 'a:b', 'a\0b', ' '], 400, 'invalid_name'],
    [accounts, 'email', [5, '', long]],
    [accounts, 'email', ['no-at-sign'], 400, 'invalid_body'],
    [accounts, 'password', [5, null, '', 'x'.repeat(1025)]],
    [accounts, 'password', ['short'], 400, 'weak_password'],
    [me, 'username', [5, '', 'x'.repeat(65)]],
    [me, 'email', [5, '', long]],
    [password, 'currentPassword', [5, null]],
    [password, 'newPassword', [5, '']],
    [password, 'newPassword', ['short'], 400, 'weak_password'],
    [sessions, 'login', [5, '', long]],
    [sessions, 'password', [5, null, '']],
    [refresh, 'refreshToken', [5, '', 'x'.repeat(513)]],
    [refresh, 'refreshToken', ['not a token'], 401, 'invalid_token'],
    [keys, 'name', [5, '', 'x'.repeat(101)]],
    [keys, 'access', ['write', 5, null]],
    [keys, 'expiresAt', ['soon', 5, '2001-01-01T00:00:00.000Z', '2026-13-45T00:00:00.000Z']],
    [node, 'name', [5, null, {}]],
    [node, 'name', badNames, 400, 'invalid_name'],
    [node, 'parentId', ['nope', 5, '', scene.folderId.toUpperCase()]],
    [node, 'parentId', [ABSENT], 404, 'not_found'],
    [node, 'parentId', [scene.fileId], 409, 'not_a_folder'],
    [
      node,
      'properties',
      [5, [], 'x', { a: 5 }, { a: {} }, many, heavy, { '': 'v' }, { [long]: 'v' }, { a: 'v'.repeat(4097) }],
    ],
    [children, 'name', [5, null]],
    [children, 'name', badNames, 400, 'invalid_name'],
    [children, 'properties', [[], { a: null }, many, heavy]],
    [copy, 'name', [5, null]],
    [copy, 'name', ['a/b', '..'], 400, 'invalid_name'],
    [copy, 'parentId', ['nope', 5]],
    [copy, 'parentId', [ABSENT], 404, 'not_found'],
    [copy, 'parentId', [scene.fileId], 409, 'not_a_folder'],
    [admin, 'limitBytes', [-1, 1.5, '5', 2 ** 60, {}]],
    [admin, 'suspended', ['yes', 1, null]],
    [deletion, 'password', [5, null, '']],
    [deletion, 'password', ['not the password'], 401, 'invalid_credentials'],
    [plan, 'planId', [5, null, '', 'a b', 'x'.repeat(33)]],
    [plan, 'until', ['soon', 5, '2001-01-01T00:00:00.000Z', '2026-13-45T00:00:00.000Z', 'x'.repeat(300)]],
    [reversal, 'reason', [5, null, '', ' ', 'x'.repeat(501)]],
  ];
  return table.flatMap(([route, field, values, status = 400, code = 'invalid_body']) => {
    if (route === undefined || (route.auth === 'operator' && scene.operatorToken === undefined)) return [];
    return values.map((value): BadCase => {
      const body = JSON.stringify({ ...route.good, [field]: value });
      const name = `${route.method} ${route.path} with ${field} ${JSON.stringify(value).slice(0, 60)}`;
      return { name, method: route.method, path: route.path, headers: headersFor(route, scene), body, status, code };
    });
  });
}

function missingFields(scene: Scene): BadCase[] {
  return jsonRoutes(scene).flatMap((route) => {
    const { method, path, good, auth } = route;
    if (auth === 'operator' && scene.operatorToken === undefined) return [];
    return (
      [
        {
          name: `nothing asked: ${method} ${path}`,
          method,
          path,
          headers: headersFor(route, scene),
          body: '{}',
          status: 400,
          code: 'invalid_body',
        },
      ]
        // A copy says where to only if it goes elsewhere.
        .filter(() => !path.endsWith('/copy') || Object.keys(good).length === 0)
    );
  });
}

function badParameters({ fileId, folderId }: Scene): BadCase[] {
  const ids = ['nope', 'ROOT', `${fileId}0`, fileId.toUpperCase(), '%00', '-1', '..%2froot', '%E2%82'];
  const of = (id: string, code: string, status = 400): BadCase[] =>
    [
      ['GET', `/v1/nodes/${id}`],
      ['GET', `/v1/nodes/${id}/content`],
    ].map(([method = '', path = '']) => ({ name: `${method} ${path}`, method, path, status, code }));
  const bad = (
    method: string,
    path: string,
    status = 400,
    code = 'invalid_parameter',
    rest: Partial<BadCase> = {},
  ): BadCase => ({
    name: `${method} ${path}`,
    method,
    path,
    status,
    code,
    ...rest,
  });
  return [
    ...ids.flatMap((id) => of(id, id === '%E2%82' ? 'bad_request' : 'invalid_parameter')),
    bad('DELETE', '/v1/nodes/nope'),
    bad('PATCH', '/v1/nodes/nope', 400, 'invalid_parameter', { headers: json, body: '{"name":"x"}' }),
    bad('GET', '/v1/nodes/nope/children'),
    bad('POST', '/v1/nodes/nope/children', 400, 'invalid_parameter', { headers: json, body: '{"name":"x"}' }),
    bad('PUT', '/v1/nodes/nope/content', 400, 'invalid_parameter', { body: 'x' }),
    bad('PUT', '/v1/nodes/nope/children/x', 400, 'invalid_parameter', { body: 'x' }),
    bad('POST', '/v1/nodes/nope/copy', 400, 'invalid_parameter', { headers: json, body: '{"parentId":"root"}' }),
    bad('POST', '/v1/nodes/nope/restore'),
    bad('GET', '/v1/nodes/nope/versions'),
    bad('GET', `/v1/nodes/${fileId}/versions/nope/content`),
    bad('HEAD', `/v1/nodes/${fileId}/versions/nope/content`),
    bad('POST', `/v1/nodes/${fileId}/versions/nope/restore`),
    bad('DELETE', '/v1/sessions/nope'),
    bad('DELETE', `/v1/sessions/${ABSENT}`, 404, 'not_found'),
    bad('DELETE', '/v1/keys/nope', 404, 'not_found'),
    bad('DELETE', `/v1/keys/${'x'.repeat(129)}`),
    bad('GET', `/v1/nodes/${ABSENT}/children`, 404, 'not_found'),
    bad('DELETE', `/v1/nodes/${ABSENT}`, 404, 'not_found'),
    bad('PUT', `/v1/nodes/${ABSENT}/content`, 404, 'not_found', { body: 'x' }),
    bad('PUT', `/v1/nodes/${ABSENT}/children/x`, 404, 'not_found', { body: 'x' }),
    bad('POST', `/v1/nodes/${ABSENT}/copy`, 404, 'not_found', { headers: json, body: '{"parentId":"root"}' }),
    bad('PUT', `/v1/nodes/${folderId}/content`, 409, 'not_a_file', { body: 'x' }),
    bad('PUT', `/v1/nodes/${fileId}/children/x`, 409, 'not_a_folder', { body: 'x' }),
    bad('GET', `/v1/nodes/${folderId}/content`, 409, 'not_a_file'),
    bad('GET', `/v1/nodes/${fileId}/children`, 409, 'not_a_folder'),
    bad('DELETE', '/v1/nodes/root', 403, 'forbidden'),
    bad('DELETE', '/v1/files/', 403, 'forbidden'),
    bad('DELETE', '/v1/nodes/root?permanent=true', 403, 'forbidden'),
    bad('PATCH', '/v1/nodes/root', 403, 'forbidden', { headers: json, body: '{"name":"x"}' }),
    bad('PATCH', `/v1/nodes/${folderId}`, 409, 'would_cycle', { headers: json, body: `{"parentId":"${folderId}"}` }),
  ];
}

function badQueries({ fileId }: Scene): BadCase[] {
  const bad = (path: string, code = 'invalid_query', method = 'GET'): BadCase => ({
    name: `${method} ${path}`,
    method,
    path,
    status: 400,
    code,
  });
  const lists = ['/v1/nodes/root/children?', '/v1/trash?', '/v1/search?q=x&', '/v1/files/?'];
  return [
    ...lists.flatMap((list) => [
      ...[
        'limit=0',
        'limit=-1',
        'limit=1001',
        'limit=1.5',
        'limit=ten',
        'limit=',
        'limit=1e9',
        'limit=1&limit=2',
        'cursor=',
        'unknown=1',
      ].map((query) => bad(list + query)),
      bad(`${list}cursor=garbage`, 'invalid_cursor'),
      bad(`${list}cursor=${Buffer.from('{"after":{"$gt":""}}').toString('base64url')}`, 'invalid_cursor'),
    ]),
    bad(`/v1/trash?cursor=${'x'.repeat(3000)}`),
    bad('/v1/search'),
    bad('/v1/search?q='),
    bad(`/v1/search?q=${'x'.repeat(256)}`),
    bad('/v1/search?q=x&q=y'),
    bad('/v1/search?q=x&match=regex'),
    bad(`/v1/nodes/${fileId}?permanent=maybe`, 'invalid_query', 'DELETE'),
    bad(`/v1/nodes/${fileId}?permanent=true&permanent=false`, 'invalid_query', 'DELETE'),
    bad('/v1/files/file.txt?permanent=2', 'invalid_query', 'DELETE'),
    bad(`/v1/nodes/${fileId}/content?download=perhaps`),
    bad(`/v1/nodes/${fileId}/content?unknown`),
    bad('/v1/files/file.txt?limit=5'),
    bad('/v1/usage?for=someone'),
    bad('/v1/me?id=1'),
  ];
}

function badCredentials({ fileId, accessToken, readOnlyKey, keyId, accountId }: Scene): BadCase[] {
  const [head = '', payload = '', signature = ''] = accessToken.split('.');
  const flipped = (signature.startsWith('A') ? 'B' : 'A') + signature.slice(1);
  const none = Buffer.from('{"alg":"none"}').toString('base64url');
  const hmac = Buffer.from('{"alg":"HS256","typ":"JWT"}').toString('base64url');
  const claims = Buffer.from(
    JSON.stringify({ ...JSON.parse(Buffer.from(payload, 'base64url').toString()), role: 'operator' }),
  ).toString('base64url');
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;
  const bad = (name: string, authorization: string | null, status = 401, code = 'invalid_token'): BadCase => ({
    name,
    method: 'GET',
    path: '/v1/usage',
    headers: { authorization },
    status,
    code,
  });
  const closed: [method: string, path: string][] = [
    ['GET', '/v1/me'],
    ['PATCH', '/v1/me'],
    ['PUT', '/v1/me/password'],
    ['GET', '/v1/sessions'],
    ['DELETE', '/v1/sessions'],
    ['DELETE', `/v1/sessions/${ABSENT}`],
    ['GET', '/v1/keys'],
    ['POST', '/v1/keys'],
    ['DELETE', `/v1/keys/${keyId}`],
    ['GET', '/v1/usage'],
    ['GET', `/v1/nodes/${fileId}`],
    ['PATCH', `/v1/nodes/${fileId}`],
    ['DELETE', `/v1/nodes/${fileId}`],
    ['GET', '/v1/nodes/root/children'],
    ['POST', '/v1/nodes/root/children'],
    ['GET', `/v1/nodes/${fileId}/content`],
    ['HEAD', `/v1/nodes/${fileId}/content`],
    ['PUT', `/v1/nodes/${fileId}/content`],
    ['PUT', '/v1/nodes/root/children/x'],
    ['POST', `/v1/nodes/${fileId}/copy`],
    ['POST', `/v1/nodes/${fileId}/restore`],
    ['GET', '/v1/trash'],
    ['DELETE', '/v1/trash'],
    ['GET', `/v1/nodes/${fileId}/versions`],
    ['GET', `/v1/nodes/${fileId}/versions/${ABSENT}/content`],
    ['POST', `/v1/nodes/${fileId}/versions/${ABSENT}/restore`],
    ['GET', '/v1/files/file.txt'],
    ['HEAD', '/v1/files/file.txt'],
    ['PUT', '/v1/files/file.txt'],
    ['DELETE', '/v1/files/file.txt'],
    ['GET', '/v1/search?q=x'],
    ['GET', '/v1/admin/accounts'],
    ['PATCH', `/v1/admin/accounts/${accountId}`],
    ['DELETE', '/v1/me'],
    ['DELETE', `/v1/admin/accounts/${accountId}`],
  ];
  const changing = closed.filter(
    ([method, path]) => method !== 'GET' && method !== 'HEAD' && !path.startsWith('/v1/admin'),
  );
  const bodyOf = (method: string, path: string): Pick<BadCase, 'headers' | 'body'> =>
    path.includes('/files/') || path.includes('/content') || path.endsWith('/children/x')
      ? { body: method === 'PUT' ? 'x' : '' }
      : method === 'DELETE' || path.endsWith('/restore')
        ? {}
        : { headers: json, body: '{}' };
  return [
    ...closed.map(([method, path]): BadCase => {
      const { headers, ...body } = bodyOf(method, path);
      const withBody =
        method === 'GET' || method === 'HEAD' ? {} : { ...body, headers: { ...headers, authorization: null } };
      return {
        name: `nobody: ${method} ${path}`,
        method,
        path,
        headers: { authorization: null },
        ...withBody,
        status: 401,
        code: 'unauthorized',
      };
    }),
    ...changing
      .filter(([, path]) => /nodes|files|trash/.test(path))
      .map(([method, path]): BadCase => {
        const { headers, ...body } = bodyOf(method, path);
        const good =
          headers === undefined ? body : { body: path.endsWith('/copy') ? '{"parentId":"root"}' : '{"name":"x"}' };
        const name = `a read-only key: ${method} ${path}`;
        return {
          name,
          method,
          path,
          headers: { ...headers, authorization: readOnlyKey },
          ...good,
          status: 403,
          code: 'read_only',
        };
      }),
    bad('an empty authorization', '', 401, 'unauthorized'),
    bad('an unknown scheme', 'Digest username="x"', 401, 'unauthorized'),
    bad('Bearer alone', 'Bearer'),
    bad('no token', 'Bearer not-a-token'),
    bad('three empty parts', 'Bearer ..'),
    bad('a forged signature', `Bearer ${head}.${payload}.${flipped}`),
    bad('a cut signature', `Bearer ${head}.${payload}.`),
    bad('changed claims', `Bearer ${head}.${claims}.${signature}`),
    bad('no algorithm', `Bearer ${none}.${claims}.`),
    bad('another algorithm', `Bearer ${hmac}.${claims}.${createHash('sha256').update('x').digest('base64url')}`),
    bad('a huge token', `Bearer ${'x'.repeat(5000)}`),
    bad('an unknown key', 'Bearer ck_0000000000000000.secret'),
    bad('a known key with a wrong secret', `Bearer ${keyId}.wrong`),
    bad('a known key with a wrong secret, as Basic', basic(`${keyId}:wrong`)),
    bad('name and password as Basic', basic(`someone:${PASSWORD}`)),
    bad('Basic that is no base64', 'Basic !!!'),
    { ...bad('an operator’s route for a user', null, 403, 'forbidden'), path: '/v1/admin/accounts', headers: {} },
    {
      ...bad('an operator’s change by a user', null, 403, 'forbidden'),
      method: 'PATCH',
      path: `/v1/admin/accounts/${accountId}`,
      headers: json,
      body: '{"limitBytes":1}',
    },
  ];
}

function badHeaders({ fileId }: Scene): BadCase[] {
  const put = (
    name: string,
    headers: Record<string, string>,
    status = 400,
    code = 'invalid_header',
    body = 'some bytes',
  ): BadCase => ({
    name: `PUT with ${name}`,
    method: 'PUT',
    path: '/v1/files/never.txt',
    headers,
    body,
    status,
    code,
  });
  const get = (name: string, headers: Record<string, string>, status: number, code: string): BadCase => ({
    name: `GET with ${name}`,
    method: 'GET',
    path: `/v1/nodes/${fileId}/content`,
    headers,
    status,
    code,
  });
  const digest = (algorithm: string): string => createHash(algorithm).update('other bytes').digest('base64');
  return [
    get('a range beyond the end', { range: 'bytes=10-' }, 416, 'range_not_satisfiable'),
    get('a range far beyond the end', { range: 'bytes=99999999999999999999-' }, 416, 'range_not_satisfiable'),
    get('a range of the last 0 bytes', { range: 'bytes=-0' }, 416, 'range_not_satisfiable'),
    get('a malformed If-None-Match', { 'if-none-match': 'bare' }, 400, 'invalid_header'),
    get('a malformed If-Match', { 'if-match': '"open' }, 400, 'invalid_header'),
    get('an If-Match that fails', { 'if-match': '"other"' }, 412, 'precondition_failed'),
    put('a malformed If-Match', { 'if-match': 'bare' }),
    put('an empty If-Match', { 'if-match': '' }),
    put('too many tags', { 'if-match': Array(33).fill('"x"').join(',') }),
    put('an If-Match for what is not there', { 'if-match': '*' }, 412, 'precondition_failed'),
    put('a Content-Range', { 'content-range': 'bytes 0-9/20' }),
    put('a Content-Encoding', { 'content-encoding': 'gzip' }, 415, 'unsupported_media_type'),
    put('a malformed type', { 'content-type': 'text' }, 415, 'unsupported_media_type'),
    put('a malformed Content-Digest', { 'content-digest': 'sha-256=abc' }),
    put('a Content-Digest of a wrong length', { 'content-digest': 'sha-256=:YWJj:' }),
    put('a malformed Repr-Digest', { 'repr-digest': '???' }),
    put('a malformed Content-MD5', { 'content-md5': 'not base64!' }),
    put('a Content-MD5 of a wrong length', { 'content-md5': 'YWJj' }),
    put('another Content-Digest', { 'content-digest': `sha-256=:${digest('sha256')}:` }, 400, 'digest_mismatch'),
    put('another Repr-Digest', { 'repr-digest': `sha-512=:${digest('sha512')}:` }, 400, 'digest_mismatch'),
    put('another Content-MD5', { 'content-md5': digest('md5') }, 400, 'digest_mismatch'),
    put('another digest of nothing', { 'content-md5': digest('md5') }, 400, 'digest_mismatch', ''),
    put(
      'another digest of much',
      { 'content-digest': `sha-256=:${digest('sha256')}:` },
      400,
      'digest_mismatch',
      'x'.repeat(300_000),
    ),
    {
      name: 'If-Match on a node with a content’s tag',
      method: 'PATCH',
      path: `/v1/nodes/${fileId}`,
      headers: { ...json, 'if-match': '"abc"' },
      body: '{"name":"x"}',
      status: 412,
      code: 'precondition_failed',
    },
    ...['', 'x'.repeat(256), 'with space', 'é'].map(
      (key): BadCase => ({
        name: `Idempotency-Key ${JSON.stringify(key.slice(0, 12))}`,
        method: 'POST',
        path: '/v1/nodes/root/children',
        headers: { ...json, 'idempotency-key': key },
        body: '{"name":"never"}',
        status: 400,
        code: 'invalid_header',
      }),
    ),
  ];
}

function badPaths(): BadCase[] {
  const long = 'x'.repeat(256);
  const names: [raw: string, code: string][] = [
    ['%zz', 'bad_request'],
    ['%', 'bad_request'],
    ['a%4', 'bad_request'],
    ['%ff', 'bad_request'],
    ['%c0%af', 'bad_request'],
    ['%ed%a0%80', 'bad_request'],
    ['%2e', 'invalid_name'],
    ['%2e%2e', 'invalid_name'],
    ['..', 'invalid_name'],
    ['.', 'invalid_name'],
    ['a%2fb', 'invalid_name'],
    ['a%00b', 'invalid_name'],
    [long, 'invalid_name'],
    ['%C3%A9'.repeat(128), 'invalid_name'],
  ];
  const paths: [raw: string, code: string][] = [
    ['a/../b', 'invalid_name'],
    ['a/./b', 'invalid_name'],
    ['../../etc/passwd', 'invalid_name'],
    ['a//b', 'invalid_name'],
    ['/a', 'invalid_name'],
    ['a/%2e%2e/b', 'invalid_name'],
    ['a/%2E%2E%2Fb', 'invalid_name'],
    ['//', 'invalid_name'],
    ['a/b//', 'invalid_name'],
    [`${'d/'.repeat(300)}x`, 'invalid_name'],
    [`ok/${long}/x`, 'invalid_name'],
  ];
  const bad = (method: string, path: string, code: string, status = 400): BadCase => ({
    name: `${method} ${path.slice(0, 80)}`,
    method,
    path,
    ...(method === 'PUT' ? { body: 'x' } : {}),
    status,
    code,
  });
  return [
    ...names.flatMap(([raw, code]) => [
      bad('PUT', `/v1/nodes/root/children/${raw}`, code),
      bad('PUT', `/v1/files/${raw}`, code),
    ]),
    ...[...names.slice(0, 4), ...paths].map(([raw, code]) => bad('GET', `/v1/files/${raw}`, code)),
    ...paths.map(([raw, code]) => bad('PUT', `/v1/files/${raw}`, code)),
    ...paths.slice(0, 4).map(([raw, code]) => bad('DELETE', `/v1/files/${raw}`, code)),
    bad('PUT', '/v1/files/folder/', 'bad_request'),
    bad('PUT', '/v1/nodes/root/children/', 'invalid_name'),
    bad('PUT', '/v1/nodes/root/children/a/b', 'not_found', 404),
    bad('GET', '/v1/files/not-there', 'not_found', 404),
    bad('GET', '/v1/files/not/there/', 'not_found', 404),
    bad('GET', '/v1/nowhere', 'not_found', 404),
    bad('GET', '/v2/me', 'not_found', 404),
    bad('GET', '/v1/../v1/me', 'not_found', 404),
    bad('GET', '//v1/me', 'not_found', 404),
    bad('GET', '/%zz', 'bad_request'),
    bad('POST', '/v1/usage', 'method_not_allowed', 405),
    bad('PUT', '/v1/trash', 'method_not_allowed', 405),
    bad('PUT', '/v1/me', 'method_not_allowed', 405),
    bad('PATCH', '/v1/files/x', 'method_not_allowed', 405),
    bad('POST', '/v1/files/x', 'method_not_allowed', 405),
  ];
}

function badForms({ folderId }: Scene): BadCase[] {
  const path = `/v1/nodes/${folderId}/children`;
  const file: Part = { part: 'file', filename: 'never.txt', mime: 'text/plain', bytes: FORM_BYTES };
  const form = (name: string, parts: readonly Part[], status = 400, code = 'invalid_body'): BadCase => {
    const { body, contentType } = multipart(parts);
    return {
      name: `a form with ${name}`,
      method: 'POST',
      path,
      headers: { 'content-type': contentType },
      body,
      status,
      code,
    };
  };
  const raw = (name: string, body: string | Buffer, contentType = 'multipart/form-data; boundary=b'): BadCase => ({
    name: `a form ${name}`,
    method: 'POST',
    path,
    headers: { 'content-type': contentType },
    body,
    status: 400,
    code: 'invalid_body',
  });
  const head = '--b\r\ncontent-disposition: form-data; name="file"; filename="never.txt"\r\n\r\n';
  return [
    form('no file', [{ part: 'name', bytes: 'x' }]),
    form('two files', [file, { ...file, filename: 'second.txt' }]),
    form('an unknown field', [{ part: 'owner', bytes: 'me' }, file]),
    form('an unknown field behind the file', [file, { part: 'owner', bytes: 'me' }]),
    form('a name twice', [{ part: 'name', bytes: 'a' }, { part: 'name', bytes: 'b' }, file]),
    form('an illegal name', [{ part: 'name', bytes: '../x' }, file], 400, 'invalid_name'),
    form('an illegal name behind the file', [file, { part: 'name', bytes: '..' }], 400, 'invalid_name'),
    form('an illegal file name', [{ ...file, filename: '..' }]),
    form('no name at all', [{ ...file, filename: '' }]),
    form('a name that is taken', [{ ...file, filename: 'taken.txt' }], 409, 'name_taken'),
    form('a name that is taken, told late', [file, { part: 'name', bytes: 'taken.txt' }], 409, 'name_taken'),
    form('properties that are no JSON', [{ part: 'properties', bytes: '{' }, file]),
    form('properties that are a list', [{ part: 'properties', bytes: '[]' }, file]),
    form('properties behind the file that are too many', [
      file,
      {
        part: 'properties',
        bytes: JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, n) => [`k${n}`, 'v']))),
      },
    ]),
    form('a field of 100 KiB', [{ part: 'name', bytes: 'x'.repeat(100_000) }, file]),
    form('twenty fields', [...Array.from({ length: 20 }, () => ({ part: 'name', bytes: 'x' })), file]),
    raw('without a boundary', 'x', 'multipart/form-data'),
    raw('with an empty body', ''),
    raw('that is none', 'just text'),
    raw('cut in the file', `${head}some byt`),
    raw('cut in a head', '--b\r\ncontent-disposition: form-da'),
    raw('with another boundary', `${head}bytes\r\n--b--\r\n`, 'multipart/form-data; boundary=other'),
    {
      ...raw('in another folder’s stead', `${head}bytes\r\n--b--\r\n`),
      path: `/v1/nodes/${ABSENT}/children`,
      status: 404,
      code: 'not_found',
    },
  ];
}

/** What is in the forms' files: where a form's fault comes behind its file, these bytes are left for collection. */
export const FORM_BYTES = 'bytes';

/** All of them. Those of operators only where one is known. */
export function badCases(scene: Scene): BadCase[] {
  return [
    ...brokenJson(scene),
    ...badFields(scene),
    ...missingFields(scene),
    ...badParameters(scene),
    ...badQueries(scene),
    ...badCredentials(scene),
    ...badHeaders(scene),
    ...badPaths(),
    ...badForms(scene),
  ];
}
