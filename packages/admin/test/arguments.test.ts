/** The command line's own rules: what is asked of the server for it, and what is refused before anything is asked. */
import t from 'tap';
import type { ApiRequest } from '../src/api.ts';
import { everyCommand, parse } from '../src/arguments.ts';
import { UsageError } from '../src/errors.ts';
import { helpFor, overview } from '../src/help.ts';

const ID = '0198c0de-0000-7000-8000-000000000001';

function requestOf(words: readonly string[]): ApiRequest {
  const { command, input } = parse(words);
  if (command === undefined || !('request' in command)) throw new Error('no command of the API');
  return command.request(input);
}

t.test('what each command asks', async (t) => {
  const account = `/v1/admin/accounts/${ID}`;
  const asked: readonly [string[], ApiRequest][] = [
    [['accounts'], { method: 'GET', path: '/v1/admin/accounts', query: { query: undefined } }],
    [['accounts', 'ada'], { method: 'GET', path: '/v1/admin/accounts', query: { query: 'ada' } }],
    [['account', ID], { method: 'GET', path: account }],
    [['suspend', ID], { method: 'PATCH', path: account, body: { suspended: true } }],
    [['resume', ID], { method: 'PATCH', path: account, body: { suspended: false } }],
    [['reset', ID], { method: 'POST', path: `${account}/reset`, body: {} }],
    [['limit', ID, '0'], { method: 'PATCH', path: account, body: { limitBytes: 0 } }],
    [['limit', ID, '5GiB'], { method: 'PATCH', path: account, body: { limitBytes: 5_368_709_120 } }],
    [['limit', ID, 'plan'], { method: 'PATCH', path: account, body: { limitBytes: null } }],
    [['plan', ID, 'basic'], { method: 'PUT', path: `${account}/plan`, body: { planId: 'basic', until: null } }],
    [
      ['plan', ID, 'basic', '--until', '2027-01-31'],
      { method: 'PUT', path: `${account}/plan`, body: { planId: 'basic', until: '2027-01-31T00:00:00.000Z' } },
    ],
    [['delete', ID, '--yes'], { method: 'DELETE', path: account }],
    [['usage'], { method: 'GET', path: '/v1/admin/usage' }],
    [
      ['payments', '--status', 'success'],
      {
        method: 'GET',
        path: '/v1/admin/payments',
        query: { status: 'success', accountId: undefined, reference: undefined },
      },
    ],
    [
      ['reverse', ID, '--reason', 'sent back'],
      { method: 'POST', path: `/v1/admin/payments/${ID}/reverse`, body: { reason: 'sent back' } },
    ],
    [['ledger', 'check'], { method: 'POST', path: '/v1/admin/ledger/check', body: {} }],
    [['queues'], { method: 'GET', path: '/v1/admin/queues' }],
    [['jobs', 'mail'], { method: 'GET', path: '/v1/admin/queues/mail/jobs', query: { state: 'failed' } }],
    [
      ['--state', 'delayed', 'jobs', 'mail'],
      { method: 'GET', path: '/v1/admin/queues/mail/jobs', query: { state: 'delayed' } },
    ],
    [['job', 'retry', 'mail', 'a/b'], { method: 'POST', path: '/v1/admin/queues/mail/jobs/a%2Fb/retry', body: {} }],
    [['job', 'discard', 'mail', '7'], { method: 'DELETE', path: '/v1/admin/queues/mail/jobs/7' }],
    [
      ['audit', '--target', ID],
      { method: 'GET', path: '/v1/admin/audit', query: { actorId: undefined, targetId: ID } },
    ],
  ];
  for (const [words, request] of asked) t.strictSame(requestOf(words), request, words.join(' '));
});

t.test('what is refused', async (t) => {
  const refused: readonly [string[], RegExp][] = [
    [[], /Which command/],
    [['nonsense'], /Unknown: nonsense/],
    [['ledger'], /ledger what/],
    [['ledger', 'burn'], /Unknown/],
    [['job', 'retry'], /QUEUE is needed/],
    [['job', 'retry', 'mail'], /JOB is needed/],
    [['job', 'retry', 'mail', '..'], /Not a name/],
    [['jobs'], /QUEUE is needed/],
    [['jobs', 'mail', '--state', 'lost'], /--state is one of/],
    [['account'], /ACCOUNT is needed/],
    [['account', ''], /ACCOUNT is needed/],
    [['account', '.'], /Not a name/],
    [['account', ID, 'more'], /too many: more/],
    [['accounts', 'a', 'b'], /too many: b/],
    [['accounts', '--until', '2027-01-01'], /takes no --until/],
    [['accounts', '--unknown'], /unknown/i],
    [['accounts', '--json=yes'], /json/],
    [['accounts', '--url'], /url/],
    [['accounts', '--url', 'nowhere'], /Not an http/],
    [['accounts', '--url', 'ftp://host'], /Not an http/],
    [['accounts', '--url', 'http://ada:secret@host'], /no password/],
    [['suspend', ID, '--all'], /takes no --all/],
    [['limit', ID], /BYTES\|plan is needed/],
    [['limit', ID, '5GB'], /Not a number of bytes/],
    [['limit', ID, '1.5GiB'], /Not a number of bytes/],
    [['limit', ID, '1e9'], /Not a number of bytes/],
    [['limit', ID, '9007199254740993'], /Not a number of bytes/],
    [['limit', ID, '9000TiB'], /Not a number of bytes/],
    [['limit', ID, '-1'], /-1|Unknown/],
    [['plan', ID], /PLAN is needed/],
    [['plan', ID, 'basic', '--until', 'tomorrow'], /not a time/],
    [['plan', ID, 'basic', '--until', '2027-02-30'], /not a time/],
    [['plan', ID, 'basic', '--until', '2027-13-01'], /not a time/],
    [['delete', ID], /--yes/],
    [['payments', '--status', 'paid'], /--status is one of/],
    [['reverse', ID], /--reason is needed/],
    [['reverse', ID, '--reason', ''], /--reason is needed/],
    [['reverse', 'ref-1', '--reason', 'x'], /not an id/],
    [['login', 'ada'], /too many/],
    [['logout', '--username', 'ada'], /takes no --username/],
  ];
  for (const [words, message] of refused) {
    try {
      requestOf(words);
      t.fail(`${words.join(' ')} was taken`);
    } catch (error) {
      t.ok(error instanceof UsageError, words.join(' '));
      t.match(error, { message }, words.join(' '));
    }
  }
});

t.test('help names every command, and each has its own', async (t) => {
  const text = overview();
  for (const command of everyCommand) {
    const words = command.words.join(' ');
    t.match(text, `  ${words}`);
    t.match(helpFor(command), command.summary);
    const parsed = parse([...command.words, '--help']);
    t.ok(parsed.help);
    t.equal(parsed.command, command, words);
  }
});
