import { type LinkRole, NOBODY, type Principal } from '@coffer/contracts';
import { isAppError, newId } from '@coffer/service-kit';
import fc from 'fast-check';
import t from 'tap';
import { type Action, can } from '../src/domain/access.ts';
import { makeCursor, readCursor } from '../src/domain/cursors.ts';
import { derivedId } from '../src/domain/derived-id.ts';
import { Lru } from '../src/domain/hints.ts';
import { foldName, freeName, nameProblem, sortKey } from '../src/domain/names.ts';
import { fromPairs, newNode, rootNode, toPairs } from '../src/domain/node.ts';
import { preconditionsHold } from '../src/domain/preconditions.ts';
import { changeProperties } from '../src/domain/properties.ts';
import { addDeltas, negate, type PendingItem, planReplace, settlement } from '../src/domain/quota.ts';
import { judgeSpace } from '../src/domain/space.ts';
import { judge } from '../src/store/sweeper.ts';

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 255 }).filter((s) => nameProblem(s) === null);
const kind = fc.constantFrom('file' as const, 'folder' as const);

t.test('names: legal exactly where the rule says so', async (t) => {
  const bytes = (s: string) => new TextEncoder().encode(s).length;
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'grapheme' })), (s) => {
      const legal =
        s !== '' && s !== '.' && s !== '..' && !/[/\0]/.test(s) && !/\p{Surrogate}/u.test(s) && bytes(s) <= 255;
      return legal === (nameProblem(s) === null);
    }),
    { numRuns: 2000 },
  );
  for (const bad of ['', '.', '..', '/', 'a/b', '\0', '\ud800', '\udc00a', 'x'.repeat(256)]) {
    t.type(nameProblem(bad), 'string', JSON.stringify(bad.slice(0, 4)));
  }
});

t.test('free names are legal, different, and keep the extension', async () => {
  fc.assert(
    fc.property(name, kind, fc.integer({ min: 1, max: 100_000 }), (given, of, n) => {
      const free = freeName(given, of, n);
      const other = freeName(given, of, n + 1);
      const dot = given.lastIndexOf('.');
      const extension = of === 'file' && dot > 0 ? given.slice(dot) : '';
      const keeps = Buffer.byteLength(extension) > 127 || free.endsWith(`(${n})${extension}`);
      return (
        nameProblem(free) === null && free !== other && free !== given && keeps && freeName(given, of, 0) === given
      );
    }),
  );
});

t.test('sort keys: a folder’s children stand where an object-key view has them', async () => {
  fc.assert(
    fc.property(name, name, name, (folder, child, other) => {
      // Whatever sorts between a folder and its end lies below it, as with keys that have the folder as a prefix.
      const [start, inside, beside] = [sortKey(folder, 'folder'), `${folder}/${child}`, sortKey(other, 'file')];
      const order = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));
      return order(start, inside) < 0 && (other === folder || order(beside, start) < 0 === order(beside, inside) < 0);
    }),
  );
});

t.test('folding: variants of one text are one', async (t) => {
  t.equal(foldName('ＰＨＯＴＯ'), 'photo');
  t.equal(foldName('e\u0301'), foldName('é'));
  t.ok(foldName('\ufdfa'.repeat(85)).length <= 512);
  fc.assert(
    fc.property(name, (s) => foldName(foldName(s)) === foldName(s).normalize('NFKC').toLowerCase().slice(0, 512)),
  );
});

t.test('cursors come back as they were, and only in their own list', async (t) => {
  fc.assert(
    fc.property(name, (key) => {
      const cursor = makeCursor('children', newId(), key);
      return /^[\w-]{1,2048}$/.test(cursor);
    }),
  );
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), (key) => {
      const scope = newId();
      return readCursor(makeCursor('trash', scope, key), 'trash', scope) === key;
    }),
  );
  const cursor = makeCursor('children', 'a', 'k');
  for (const [list, scope] of [
    ['trash', 'a'],
    ['children', 'b'],
  ] as const) {
    t.throws(() => readCursor(cursor, list, scope), { code: 'invalid_cursor' });
  }
  t.equal(readCursor(undefined, 'trash', 'x'), null);
});

t.test('properties: any key, within bounds', async (t) => {
  const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((k) => !k.includes('\0'));
  fc.assert(
    fc.property(fc.dictionary(key, fc.string({ unit: 'grapheme', maxLength: 20 }), { maxKeys: 60 }), (properties) => {
      const pairs = changeProperties([], properties);
      const back = fromPairs(changeProperties(pairs, {}));
      const same = Object.keys(properties).every((k) => back[k] === properties[k]);
      const none = changeProperties(pairs, Object.fromEntries(Object.keys(properties).map((k) => [k, null])));
      return same && Object.keys(back).length === Object.keys(properties).length && none.length === 0;
    }),
  );
  const refused = (properties: Record<string, string>) => {
    try {
      changeProperties(toPairs({}), properties);
      return false;
    } catch (error) {
      return isAppError(error, 'invalid_body');
    }
  };
  t.ok(refused({ '': 'x' }));
  t.ok(refused({ ['k'.repeat(129)]: 'x' }));
  t.ok(refused({ k: 'x'.repeat(4097) }));
  t.ok(refused(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`k${i}`, '']))));
  t.ok(refused(Object.fromEntries(Array.from({ length: 5 }, (_, i) => [`k${i}`, 'x'.repeat(4096)]))));
});

t.test('who may do what', async (t) => {
  const at = new Date();
  const root = rootNode(newId(), at);
  const node = newNode({ id: newId(), parent: root, name: 'f', kind: 'file', by: root._id, at });
  const person = (o: Partial<Principal>): Principal => ({ accountId: newId(), role: 'user', readOnly: false, ...o });
  const owner = { accountId: root._id };
  const table: [string, Principal, Record<Action, string>, Record<Action, string>][] = [
    [
      'owner',
      person(owner),
      { read: 'yes', change: 'yes', deposit: 'yes', place: 'yes', share: 'yes' },
      { read: 'yes', change: 'yes', deposit: 'yes', place: 'forbidden', share: 'forbidden' },
    ],
    [
      'owner’s read-only key',
      person({ ...owner, readOnly: true }),
      { read: 'yes', change: 'read_only', deposit: 'read_only', place: 'read_only', share: 'read_only' },
      { read: 'yes', change: 'read_only', deposit: 'read_only', place: 'read_only', share: 'read_only' },
    ],
    [
      'another',
      person({}),
      { read: 'not_found', change: 'not_found', deposit: 'not_found', place: 'not_found', share: 'not_found' },
      { read: 'not_found', change: 'not_found', deposit: 'not_found', place: 'not_found', share: 'not_found' },
    ],
    [
      'operator',
      person({ role: 'operator' }),
      { read: 'not_found', change: 'not_found', deposit: 'not_found', place: 'not_found', share: 'not_found' },
      { read: 'not_found', change: 'not_found', deposit: 'not_found', place: 'not_found', share: 'not_found' },
    ],
  ];
  const by = (role: LinkRole, nodeId: string, o: Partial<Principal> = {}): Principal => ({
    ...NOBODY,
    ...o,
    link: { linkId: newId(), nodeId, role },
  });
  const nothing = {
    read: 'not_found',
    change: 'not_found',
    deposit: 'not_found',
    place: 'not_found',
    share: 'not_found',
  } as const;
  const looks = {
    read: 'yes',
    change: 'read_only',
    deposit: 'read_only',
    place: 'read_only',
    share: 'read_only',
  } as const;
  table.push(
    ['a link to the node', by('viewer', node._id), looks, nothing],
    ['a link to what is above', by('viewer', root._id), looks, looks],
    ['a link to something else', by('viewer', newId()), nothing, nothing],
    [
      'a link and no account’s read-only mark',
      by('viewer', node._id, { readOnly: false }),
      { ...looks, change: 'forbidden', deposit: 'forbidden', place: 'forbidden', share: 'forbidden' },
      nothing,
    ],
    ['a drop box', by('dropbox', root._id), nothing, { ...nothing, deposit: 'yes' }],
    ['a drop box elsewhere', by('dropbox', newId()), nothing, nothing],
    ['a drop box with an account', by('dropbox', root._id, { accountId: newId() }), nothing, nothing],
  );
  for (const [who, principal, onNode, onRoot] of table) {
    for (const action of ['read', 'change', 'deposit', 'place', 'share'] as const) {
      t.equal(can(principal, action, node, [root]), onNode[action], `${who}: ${action}`);
      t.equal(can(principal, action, root, []), onRoot[action], `${who}: ${action} the root`);
    }
  }
});

t.test('preconditions against a table of RFC 9110', async (t) => {
  const at = new Date();
  const parent = rootNode(newId(), at);
  const chunk = { vid: newId(), at, by: parent._id, size: 0, etag: 'e1', mime: 'a/b', chunks: [] };
  const file = newNode({ id: newId(), parent, name: 'f', kind: 'file', by: parent._id, at, content: chunk });
  for (const [holds, preconditions, node] of [
    [true, {}, null],
    [true, {}, file],
    [true, { ifMatch: ['*'] }, file],
    [false, { ifMatch: ['*'] }, null],
    [true, { ifMatch: ['x', 'e1'] }, file],
    [false, { ifMatch: ['x'] }, file],
    [false, { ifMatch: [] }, file],
    [true, { ifNoneMatch: ['*'] }, null],
    [false, { ifNoneMatch: ['*'] }, file],
    [false, { ifNoneMatch: ['e1'] }, file],
    [true, { ifNoneMatch: ['x'] }, file],
    [true, { ifRev: [1] }, file],
    [false, { ifRev: [2] }, file],
    [false, { ifRev: [1] }, null],
    [false, { ifMatch: ['*'], ifRev: [3] }, file],
    [false, { ifMatch: ['e1'] }, parent],
  ] as const) {
    const given = JSON.parse(JSON.stringify(preconditions));
    t.equal(preconditionsHold(given, node), holds, JSON.stringify([preconditions, node?.kind]));
  }
});

t.test('replacing: whatever is taken and given back adds up to what is kept', async () => {
  const size = fc.integer({ min: 0, max: 1000 });
  fc.assert(
    fc.property(fc.array(size), size, fc.integer({ min: 0, max: 10 }), (sizes, max, unsettledAt) => {
      const versions = sizes.map((bytes, i) => ({ vid: `v${i}`, size: bytes }));
      const current = { vid: 'now', size: 7 };
      const bound = max % 6;
      const unsettled = new Set(unsettledAt < sizes.length ? [`v${unsettledAt}`] : []);
      const plan = planReplace(100, current, versions, bound, unsettled);
      const kept = [current, ...versions].slice(0, plan.keep);
      const before = 7 + sizes.reduce((a, b) => a + b, 0);
      const after = 100 + kept.reduce((sum, v) => sum + v.size, 0);
      const sum = addDeltas([plan.taken, plan.onWrite]);
      const item = { nodeId: 'n', vid: 'x', rev: 1, taken: plan.taken, onWrite: plan.onWrite };
      const undone = addDeltas([plan.taken, settlement([item], ['failed'])]);
      return (
        (sum.bytes ?? 0) === after - before &&
        (sum.versionBytes ?? 0) === after - 100 - (before - 7) &&
        !plan.droppedVids.some((vid) => unsettled.has(vid)) &&
        (plan.keep <= bound || [...unsettled].length > 0) &&
        Object.keys(undone).length === 0 &&
        Object.keys(addDeltas([sum, negate(sum)])).length === 0
      );
    }),
  );
});

t.test('the sweeper’s judgement', async (t) => {
  const create = { nodeId: 'n', taken: {} };
  const copy = { ...create, birth: 'b1' };
  const replace = { nodeId: 'n', vid: 'v', rev: 3, taken: {} };
  const doc = (o: object) => ({ _id: 'n', ...o });
  const husk = doc({ husk: true as const });
  for (const [item, found, verdict] of [
    [create, undefined, 'open'],
    [create, doc({ rev: 9 }), 'written'],
    [create, husk, 'failed'],
    [copy, undefined, 'open'],
    [copy, doc({ birth: 'b1' }), 'written'],
    [copy, doc({ birth: 'b2' }), 'failed'],
    [copy, husk, 'failed'],
    [replace, undefined, 'failed'],
    [replace, husk, 'failed'],
    [replace, doc({ rev: 3 }), 'open'],
    [replace, doc({ rev: 4 }), 'failed'],
    [replace, doc({ rev: 4, content: { vid: 'v', size: 1 } }), 'written'],
    [replace, doc({ rev: 9, content: { vid: 'w', size: 1 }, versions: [{ vid: 'v', size: 1 }] }), 'written'],
  ] satisfies [PendingItem, Parameters<typeof judge>[1], string][]) {
    t.equal(judge(item, found), verdict);
  }
});

t.test('derived ids are UUIDs, the same for the same', async (t) => {
  const [a, b] = [newId(), newId()];
  t.match(derivedId(a, b), /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  t.equal(derivedId(a, b), derivedId(a, b));
  t.not(derivedId(a, b), derivedId(b, a));
});

t.test('the hints’ map forgets what was not used', async (t) => {
  const map = new Lru<string, number>(2);
  map.set('a', 1);
  map.set('b', 2);
  map.get('a');
  map.set('c', 3);
  t.same([map.get('a'), map.get('b'), map.get('c'), map.size], [1, undefined, 3, 2]);
});

t.test('space that runs out is told once on the way up, however it goes up and down', async (t) => {
  const step = fc.integer({ min: 0, max: 120 });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (levels) => {
      let before = 0;
      let warnedAt: Date | undefined;
      // What a reader of the rule would say: told at 80, told again only after less than 75.
      let isArmed = true;
      return levels.every((usedBytes) => {
        if (before < 75) isArmed = true;
        const verdict = judgeSpace({ usedBytes, beforeBytes: before, limitBytes: 100, warnedAt });
        const isDue = usedBytes >= 80 && isArmed;
        if (verdict === 'warn') warnedAt = new Date();
        if (verdict === 'calm') warnedAt = undefined;
        if (isDue) isArmed = false;
        before = usedBytes;
        return (verdict === 'warn') === isDue;
      });
    }),
  );
  t.equal(judgeSpace({ usedBytes: 0, beforeBytes: 0, limitBytes: 0 }), null, 'nothing of nothing is not much');
});
