import t from 'tap';
import { bytes, money, record, table } from '../src/table.ts';

t.test('columns are aligned, and nothing in a name steers the terminal', async (t) => {
  const items = [
    { name: 'ada', usage: { usedBytes: 1536 }, suspended: false },
    { name: '\u001b[31mred\nline\u202e', usage: { usedBytes: 104_857_600 }, suspended: true },
  ];
  t.equal(
    table(items, ['name', 'usage.usedBytes', 'suspended', 'absent'], false),
    [
      'NAME            USED     SUSPENDED  ABSENT',
      'ada             1.5 KiB  no         -',
      '\ufffd[31mred\ufffdline\ufffd  100 MiB  yes        -',
    ].join('\n'),
  );
  t.ok(table(items, ['name'], true).startsWith('\u001b[1mNAME'));
});

t.test('a record shows what is nested, and lists behind it', async (t) => {
  const report = {
    isBalanced: true,
    none: null,
    usage: { usedBytes: 0 },
    tags: [],
    balances: [{ account: 'revenue', currency: 'NGN', balanceMinor: -200_000 }],
  };
  t.equal(
    record(report, false),
    [
      'isBalanced       yes',
      'none             -',
      'usage.usedBytes  0 B',
      'tags             none',
      '',
      'BALANCES',
      'ACCOUNT  CURRENCY  BALANCE',
      'revenue  NGN       -2000.00 NGN',
    ].join('\n'),
  );
});

t.test('amounts', async (t) => {
  t.strictSame([0, 1023, 1024, 1536, 2 ** 53].map(bytes), ['0 B', '1023 B', '1 KiB', '1.5 KiB', '8 PiB']);
  t.equal(money(200_000, 'NGN'), '2000.00 NGN');
  t.equal(money(5, 'NGN'), '0.05 NGN');
  t.equal(money(500, 'JPY'), '500 JPY');
  t.equal(money(-1234, 'KWD'), '-1.234 KWD');
});
