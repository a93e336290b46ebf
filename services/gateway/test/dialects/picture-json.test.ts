/** The reader of `{"data": "<base64>"}` gives what JSON.parse and Buffer.from give, however the bytes are cut. */
import { isAppError } from '@coffer/service-kit';
import fc from 'fast-check';
import t from 'tap';
import { PictureJson } from '../../src/dialects/images/picture-json.ts';

function read(text: string | Buffer, cuts: readonly number[] = []) {
  const whole = Buffer.from(text);
  const reader = new PictureJson();
  const pieces: Buffer[] = [];
  let from = 0;
  for (const at of [...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length]) {
    pieces.push(reader.write(whole.subarray(from, at)));
    from = at;
  }
  return { facts: reader.end(), bytes: Buffer.concat(pieces) };
}

const codeOf = (text: string | Buffer, cuts?: readonly number[]): string => {
  try {
    read(text, cuts);
    return 'taken';
  } catch (error) {
    return isAppError(error) ? error.code : String(error);
  }
};

const cuts = fc.array(fc.nat(), { maxLength: 12 });
const alphabet = fc.constantFrom<'base64' | 'base64url'>('base64', 'base64url');
const space = fc.constantFrom('', ' ', '\n', '\t', '\r\n  ');

/** JSON for a string with some of its characters written as escapes. */
const escaped = (text: string, some: readonly boolean[]): string => {
  const spelled = [...text].map((character, at) => {
    if (!some[at % some.length]) return JSON.stringify(character).slice(1, -1);
    return character === '/' ? '\\/' : `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
  return `"${spelled.join('')}"`;
};

t.test('any picture, any spelling, any cut', (t) => {
  const example = fc.record({
    bytes: fc.uint8Array({ maxLength: 400 }),
    alphabet,
    prefix: fc.constantFrom('', 'data:image/png;base64,', 'DATA:image/svg+xml;charset=utf-8;base64,'),
    breakEvery: fc.constantFrom(0, 1, 3, 76),
    some: fc.array(fc.boolean(), { minLength: 1, maxLength: 9 }),
    description: fc.string({ unit: 'binary' }),
    others: fc.dictionary(
      fc.string().filter((key) => key !== 'data' && key !== 'description' && key !== '__proto__'),
      fc.jsonValue(),
    ),
    dataFirst: fc.boolean(),
    space,
    cuts,
  });
  fc.assert(
    fc.property(example, (e) => {
      const plain = Buffer.from(e.bytes).toString(e.alphabet);
      const broken = e.breakEvery === 0 ? plain : plain.replace(new RegExp(`.{${e.breakEvery}}`, 'g'), '$&\r\n');
      const data = `"data"${e.space}:${e.space}${escaped(e.prefix + broken, e.some)}`;
      const description = `"description":${JSON.stringify(e.description)}`;
      const rest = Object.entries(e.others).map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`);
      const members = e.dataFirst ? [data, ...rest, description] : [description, ...rest, data];
      const text = `${e.space}{${members.join(`${e.space},`)}}${e.space}`;
      const whole = JSON.parse(Buffer.from(text).toString()) as { data: string; description: string };
      const oracle = Buffer.from(whole.data.slice(e.prefix.length), e.alphabet);
      const { facts, bytes } = read(text, e.cuts);
      return bytes.equals(oracle) && bytes.equals(e.bytes) && facts.description === whole.description;
    }),
    { numRuns: 500 },
  );
  t.end();
});

t.test('what JSON.parse refuses is refused, wherever it is cut', (t) => {
  const good = '{"description":"a \\"picture\\"","x":[1,{"data":"!"}],"data":"aGVs\\/bG8="}';
  const damage = fc.record({
    at: fc.nat(good.length - 1),
    by: fc.constantFrom('', '"', '\\', '{', '}', ',', ':', '[', '\u0000', '\n', 'é', 'x'),
    cuts,
  });
  fc.assert(
    fc.property(damage, (e) => {
      const text = good.slice(0, e.at) + e.by + good.slice(e.at + 1);
      const uncut = codeOf(text);
      if (codeOf(text, e.cuts) !== uncut) return false;
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        return uncut === 'invalid_body';
      }
      const isText = typeof value === 'object' && value !== null && 'data' in value && typeof value.data === 'string';
      return uncut === 'taken' ? isText : true;
    }),
    { numRuns: 3000 },
  );
  t.end();
});

t.test('what is no base64 is refused', async (t) => {
  const bad = [
    'a',
    'abcde',
    'ab=',
    'ab===',
    'abc==',
    'a===',
    '====',
    'abcd=',
    'ab==cd==',
    'a!cd',
    'ab\\u0000c',
    'abcd\\b',
    'é',
    'ab"',
    'data:image/png,abcd',
    'data:image/png;base64',
    `data:${'x'.repeat(600)};base64,abcd`,
  ];
  for (const data of bad) t.equal(codeOf(`{"data":"${data}"}`), 'invalid_body', data.slice(0, 40));
  for (const text of [
    '',
    'null',
    '[]',
    '{}',
    '"data"',
    '{"data":null}',
    '{"data":1}',
    '{"data":{"data":"aGk="}}',
    '[{"data":"aGk="}]',
    '{"data":"aGk="',
    '{"data":"aGk',
    '{"data":"aGk="}x',
    '{"data":"aGk="}{}',
    '{"data":"aGk=","data":"aGk="}',
    '{"data":"aGk=","d\\u0061ta":"aGk="}',
    '{"description":"a","description":"b","data":"aGk="}',
    '{"data":"aGk=" "aGk="}',
    '\ufeff{"data":"aGk="}',
    'data=aGk=',
    '{"data":"a\nGk="}',
  ]) {
    t.equal(codeOf(text), 'invalid_body', text);
  }
  t.equal(
    codeOf(Buffer.concat([Buffer.from('{"x":"'), Buffer.from([0xff]), Buffer.from('","data":"aGk="}')])),
    'invalid_body',
  );
});

t.test('what stands around the picture is bounded; the picture is not', async (t) => {
  t.equal(codeOf(`{"x":"${'x'.repeat(70_000)}","data":""}`), 'too_large');
  t.equal(codeOf(`{${' '.repeat(70_000)}`), 'too_large');
  const big = Buffer.alloc(3_000_000, 'picture');
  t.ok(read(`{"data":"${big.toString('base64')}"}`, [1000, 2_000_000]).bytes.equals(big));
});

t.test('escapes alone do not make it slow', async (t) => {
  const text = `{"data":"${'\\/'.repeat(2_000_000)}"}`;
  const startedAtMs = performance.now();
  t.equal(read(text).bytes.length, 1_500_000);
  t.ok(performance.now() - startedAtMs < 5_000);
});
