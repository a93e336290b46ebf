import { isAppError } from '@coffer/service-kit';
import fc from 'fast-check';
import t from 'tap';
import { addressKey } from '../src/domain/addresses.ts';
import { accountNames, checkNames, emailProblem, foldName, loginKey, usernameProblem } from '../src/domain/names.ts';
import { checkNewPassword } from '../src/domain/passwords.ts';

const unicode = fc.string({ unit: 'binary', maxLength: 40 }).filter((text) => text.isWellFormed());
/** The same name as another keyboard, font or caps lock writes it. */
const variants = (name: string): string[] => [
  name.toUpperCase(),
  name.toLowerCase(),
  name.normalize('NFD'),
  name.normalize('NFKD'),
  name.replace(/[!-~]/g, (c) => String.fromCharCode(c.charCodeAt(0) + 0xfee0)),
];

t.test('folding a folded name changes nothing', async (t) => {
  fc.assert(
    fc.property(unicode, (name) => foldName(foldName(name)) === foldName(name)),
    { numRuns: 2_000 },
  );
  for (const name of ['İstanbul', 'ΟΔΟΣ', 'ß', 'ŉ', 'ᾳ', 'ﬃ', '\u0345α', 'ǰ'])
    t.equal(foldName(foldName(name)), foldName(name), name);
});

t.test('variants of case, width and composition are one name', async () => {
  const names = fc.string({
    unit: fc.constantFrom(...'abcXYZ019._-éÅßñжЖσΣςüﬁ한글日本'),
    minLength: 1,
    maxLength: 30,
  });
  fc.assert(
    fc.property(names, (name) => variants(name).every((variant) => foldName(variant) === foldName(name))),
    { numRuns: 1_000 },
  );
});

t.test('different plain names stay different', async () => {
  const plain = fc.string({ unit: fc.constantFrom(...'abcdefghijklmnopqrstuvwxyz0123456789._-') });
  fc.assert(fc.property(plain, plain, (a, b) => (foldName(a) === foldName(b)) === (a === b)));
});

t.test('user names', async (t) => {
  const good = [
    ...['ada', 'Ada.Lovelace', 'a', '7', 'Жанна', '日本', 'x_y-z', 'é', 'e\u0301a', 'a'.repeat(64)],
    ...[
      'a b',
      'Ada King, Countess of Lovelace',
      '.ada',
      '-ada',
      '_ada',
      'a/b',
      '😀',
      '$$$',
      '¨',
      "o'neil (2)",
      '../../x',
    ],
    ...['ada@example.org', 'a@b', 'a＠b'],
  ];
  for (const name of good) t.equal(usernameProblem(name), undefined, name);
  const bad = [
    '',
    ' ',
    ' ada',
    'ada ',
    'a  b',
    'a\tb',
    'a\u00a0b',
    'a:b',
    'a：b',
    '@ada',
    'a@b@c',
    'a@b c',
    'a\0b',
    'a\u007f',
    'a\u0085',
    'a\ue000',
    'a\u200db',
    'a\ufe0f',
    '\u3164',
    'a\u202eb',
    'a\ud800',
    'a\n',
    'ﷺ'.repeat(10),
    'a'.repeat(65),
  ];
  for (const name of bad) t.type(usernameProblem(name), 'string', JSON.stringify(name));
});

t.test('a user name is taken for an e-mail address only where it is the account’s own', async (t) => {
  const names = fc.oneof(unicode, fc.emailAddress());
  fc.assert(
    fc.property(names, fc.option(fc.emailAddress()), (username, email) => {
      if (usernameProblem(username) !== undefined) return;
      const by = loginKey(username);
      let own: ReturnType<typeof accountNames>;
      try {
        own = accountNames({ username, email });
      } catch (error) {
        if (!isAppError(error, 'invalid_name') || by.field !== 'emailKey' || email === null) throw error;
        return;
      }
      if (own[by.field] !== by.key) throw new Error(`${username} logs in to ${own[by.field]}`);
    }),
    { numRuns: 2_000 },
  );
  t.same(accountNames({ username: 'Ada@Example.org', email: null }), {
    username: 'Ada@Example.org',
    usernameKey: 'ada@example.org',
    email: 'Ada@Example.org',
    emailKey: 'ada@example.org',
  });
  t.same(accountNames({ username: 'ada', email: null }), { username: 'ada', usernameKey: 'ada', email: null });
  t.throws(() => accountNames({ username: 'ada@example.org', email: 'bob@example.org' }), { code: 'invalid_name' });
  fc.assert(
    fc.property(
      fc.emailAddress(),
      (email) => emailProblem(email) !== undefined || loginKey(email).field === 'emailKey',
    ),
  );
});

t.test('e-mail addresses', async (t) => {
  for (const good of ['ada@example.org', 'a@b', "o'neil+tag@sub.example.co.uk", 'жанна@почта.рф', 'admin@localhost'])
    t.equal(emailProblem(good), undefined, good);
  const bad = [
    'ada',
    '@example.org',
    'ada@',
    'a@b@c',
    'a b@c.d',
    '.a@b.c',
    'a.@b.c',
    'a..b@c.d',
    'a@-b.c',
    'a@b-.c',
    'a@b..c',
    'a@.b',
    'a@b.',
    'a\r\nBcc: x@y.z',
    'a@b\u200d.c',
    `${'a'.repeat(65)}@b.c`,
    `a@${'b'.repeat(64)}.c`,
    `a@${'b.'.repeat(130)}c`,
    'a\ud800@b.c',
  ];
  for (const email of bad) t.type(emailProblem(email), 'string', JSON.stringify(email));
});

t.test('bad names are refused all at once, each by its path', async (t) => {
  const refused = (names: Parameters<typeof checkNames>[0]): unknown => {
    try {
      return checkNames(names);
    } catch (error) {
      return isAppError(error) ? { code: error.code, paths: error.errors?.map(({ path }) => path) } : error;
    }
  };
  t.same(refused({ username: 'a  b', email: 'x' }), { code: 'invalid_name', paths: ['/username', '/email'] });
  t.same(refused({ email: 'x' }), { code: 'invalid_body', paths: ['/email'] });
  t.equal(refused({ username: 'ada' }), undefined);
});

t.test('new passwords', async (t) => {
  const owner = ['AdaLovelace', 'ada@example.org'];
  const check = (password: string) => () => checkNewPassword(password, '/password', owner);
  for (const good of ['12345678', 'пароль-пароль', '😀'.repeat(8), 'x'.repeat(1024)]) t.doesNotThrow(check(good));
  for (const bad of ['', '1234567', 'é'.repeat(513), 'adalovelace', 'ADA@example.ORG', '😀'.repeat(7), 'abcdefg\ud800'])
    t.throws(check(bad), { code: 'weak_password', errors: [{ path: '/password' }] }, JSON.stringify(bad));
  const any = (password: string) => () => checkNewPassword(password, '/password', owner, true);
  for (const good of ['1', 'adalovelace', '😀'.repeat(1024)]) t.doesNotThrow(any(good), 'where any is taken');
  t.throws(any('a\ud800'), { code: 'weak_password' }, 'but text it must be');
});

t.test('addresses are counted by the unit that one customer holds', async (t) => {
  t.equal(addressKey('203.0.113.7'), '203.0.113.7');
  t.equal(addressKey('::ffff:203.0.113.7'), '203.0.113.7');
  t.equal(addressKey('2001:db8::1'), '2001:db8:0:0::/64');
  t.equal(addressKey('2001:0DB8:0:0:ffff:1:2:3'), '2001:db8:0:0::/64');
  t.equal(addressKey('2001:db8:0:1::1'), '2001:db8:0:1::/64');
  t.equal(addressKey('fe80::1%eth0'), 'fe80:0:0:0::/64');
  t.equal(addressKey('::1'), '0:0:0:0::/64');
});
