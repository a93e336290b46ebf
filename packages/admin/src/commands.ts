/** Every command, as data: what it takes, what it asks of `/v1/admin`, and how its answer is shown. */
import type { ApiRequest } from './api.ts';
import { UsageError } from './errors.ts';
import { joinStoreChecks } from './store-check.ts';
import { bytesFrom, idFrom, oneOf, pathPart, required, timeFrom } from './values.ts';

export interface Input {
  arg(name: string): string | undefined;
  option(name: string): string | undefined;
  flag(name: string): boolean;
}

export interface Argument {
  readonly name: string;
  readonly isOptional?: boolean;
  /** A user name or an e-mail address will do: it is looked up. */
  readonly isAccount?: boolean;
}

export interface Option {
  /** What stands for its value in the help; absent for a flag. */
  readonly value?: string;
  readonly help: string;
  readonly isAccount?: boolean;
}

export interface Command {
  readonly words: readonly string[];
  readonly summary: string;
  readonly args: readonly Argument[];
  readonly options: Readonly<Record<string, Option>>;
  /** A pure function; throws `UsageError`. */
  readonly request: (input: Input) => ApiRequest;
  /** Of a list: what its table shows, by path into an item. Absent: the answer is one thing. */
  readonly columns?: readonly string[];
  /** Of a list that is answered whole. */
  readonly isWhole?: boolean;
  /** Of an answer that comes in parts, each with a `nextCursor` for the body of the next request: two parts made one. */
  readonly join?: (before: unknown, after: unknown) => unknown;
  /** Said when the server had nothing to say. */
  readonly done?: (input: Input) => string;
  /** The field of the answer whose being false means that something is wrong: exit code 1. */
  readonly mustHold?: string;
}

const ACCOUNT: Argument = { name: 'ACCOUNT', isAccount: true };
const QUEUE: Argument = { name: 'QUEUE' };
const STATUSES = ['initiated', 'pending', 'success', 'failed', 'abandoned', 'reversed'] as const;
const STATES = ['waiting', 'active', 'delayed', 'completed', 'failed'] as const;

const account = (input: Input): string => `/v1/admin/accounts/${pathPart(required(input.arg('ACCOUNT'), 'ACCOUNT'))}`;
const queue = (input: Input): string => `/v1/admin/queues/${pathPart(required(input.arg('QUEUE'), 'QUEUE'))}`;
const job = (input: Input): string => `${queue(input)}/jobs/${pathPart(required(input.arg('JOB'), 'JOB'))}`;
const none = {} as const;

export const COMMANDS: readonly Command[] = [
  {
    words: ['accounts'],
    summary: 'Find accounts by a part of the user name or e-mail address',
    args: [{ name: 'QUERY', isOptional: true }],
    options: none,
    request: (input) => ({ method: 'GET', path: '/v1/admin/accounts', query: { query: input.arg('QUERY') } }),
    columns: [
      'id',
      'username',
      'email',
      'role',
      'suspended',
      'usage.usedBytes',
      'usage.limitBytes',
      'usage.files',
      'createdAt',
    ],
  },
  {
    words: ['account'],
    summary: 'One account: usage and subscription',
    args: [ACCOUNT],
    options: none,
    request: (input) => ({ method: 'GET', path: account(input) }),
  },
  {
    words: ['suspend'],
    summary: 'Shut an account out; its files stay',
    args: [ACCOUNT],
    options: none,
    request: (input) => ({ method: 'PATCH', path: account(input), body: { suspended: true } }),
  },
  {
    words: ['resume'],
    summary: 'Let a suspended account in again',
    args: [ACCOUNT],
    options: none,
    request: (input) => ({ method: 'PATCH', path: account(input), body: { suspended: false } }),
  },
  {
    words: ['reset'],
    summary: 'End all sessions of an account and mail it a link to set a new password',
    args: [ACCOUNT],
    options: none,
    request: (input) => ({ method: 'POST', path: `${account(input)}/reset`, body: {} }),
    done: (input) => `Reset ${input.arg('ACCOUNT')}`,
  },
  {
    words: ['limit'],
    summary: 'Set the space of an account (bytes, or 5GiB), or let its plan say (plan)',
    args: [ACCOUNT, { name: 'BYTES|plan' }],
    options: none,
    request: (input) => {
      const text = required(input.arg('BYTES|plan'), 'BYTES|plan');
      return { method: 'PATCH', path: account(input), body: { limitBytes: text === 'plan' ? null : bytesFrom(text) } };
    },
  },
  {
    words: ['plan'],
    summary: 'Give an account a plan without payment; the base plan ends it',
    args: [ACCOUNT, { name: 'PLAN' }],
    options: { until: { value: 'TIME', help: 'when it ends (2027-01-31 or ISO 8601, UTC); for good if not given' } },
    request: (input) => {
      const until = input.option('until');
      const body = {
        planId: required(input.arg('PLAN'), 'PLAN'),
        until: until === undefined ? null : timeFrom(until, '--until'),
      };
      return { method: 'PUT', path: `${account(input)}/plan`, body };
    },
  },
  {
    words: ['delete'],
    summary: 'Delete an account and all its files, for good',
    args: [ACCOUNT],
    options: { yes: { help: 'that it is meant' } },
    request: (input) => {
      if (!input.flag('yes')) throw new UsageError('A deleted account does not come back: say --yes');
      return { method: 'DELETE', path: account(input) };
    },
    done: (input) => `Deleted ${input.arg('ACCOUNT')}`,
  },
  {
    words: ['usage'],
    summary: 'What the whole store holds',
    args: [],
    options: none,
    request: () => ({ method: 'GET', path: '/v1/admin/usage' }),
  },
  {
    words: ['payments'],
    summary: 'Payments, the latest first',
    args: [],
    options: {
      status: { value: 'STATUS', help: `only in this state: ${STATUSES.join(', ')}` },
      account: { value: 'ACCOUNT', help: 'only of this account', isAccount: true },
      reference: { value: 'REFERENCE', help: 'only the one that the provider knows by it' },
    },
    request: (input) => ({
      method: 'GET',
      path: '/v1/admin/payments',
      query: {
        status: oneOf(STATUSES, input.option('status'), '--status'),
        accountId: input.option('account'),
        reference: input.option('reference'),
      },
    }),
    columns: [
      'id',
      'reference',
      'accountId',
      'provider',
      'planId',
      'amountMinor',
      'status',
      'createdAt',
      'settledAt',
      'periodEnd',
    ],
  },
  {
    words: ['reverse'],
    summary: 'Note that a payment was paid back: its space is taken back too',
    args: [{ name: 'PAYMENT' }],
    options: { reason: { value: 'TEXT', help: 'why; needed' } },
    request: (input) => ({
      method: 'POST',
      path: `/v1/admin/payments/${idFrom(required(input.arg('PAYMENT'), 'PAYMENT'), 'PAYMENT')}/reverse`,
      body: { reason: required(input.option('reason'), '--reason') },
    }),
  },
  {
    words: ['ledger', 'check'],
    summary: 'Recompute the ledger from the payments; 1 where it does not add up',
    args: [],
    options: none,
    request: () => ({ method: 'POST', path: '/v1/admin/ledger/check', body: {} }),
    mustHold: 'isBalanced',
  },
  {
    words: ['store', 'check'],
    summary: 'Recount the usage and ask how the store is; 1 where something differs',
    args: [],
    options: {
      account: { value: 'ACCOUNT', help: 'only of this account', isAccount: true },
      repair: { help: 'write what was counted' },
    },
    request: (input) => {
      const accountId = input.option('account');
      const body = {
        ...(accountId === undefined ? {} : { accountId }),
        ...(input.flag('repair') ? { repair: true } : {}),
      };
      return { method: 'POST', path: '/v1/admin/store/check', body };
    },
    join: joinStoreChecks,
    mustHold: 'isSound',
  },
  {
    words: ['queues'],
    summary: 'Queues of work, and how many jobs are in which state',
    args: [],
    options: none,
    request: () => ({ method: 'GET', path: '/v1/admin/queues' }),
    isWhole: true,
    columns: ['name', ...STATES.map((state) => `counts.${state}`)],
  },
  {
    words: ['jobs'],
    summary: 'Jobs of a queue in one state, the latest first',
    args: [QUEUE],
    options: { state: { value: 'STATE', help: `${STATES.join(', ')}; failed if not given` } },
    request: (input) => ({
      method: 'GET',
      path: `${queue(input)}/jobs`,
      query: { state: oneOf(STATES, input.option('state'), '--state') ?? 'failed' },
    }),
    columns: ['id', 'state', 'attempts', 'createdAt', 'finishedAt', 'error'],
  },
  {
    words: ['job', 'retry'],
    summary: 'Put a failed job back into its queue',
    args: [QUEUE, { name: 'JOB' }],
    options: none,
    request: (input) => ({ method: 'POST', path: `${job(input)}/retry`, body: {} }),
    done: (input) => `Job ${input.arg('JOB')} is in its queue again`,
  },
  {
    words: ['job', 'discard'],
    summary: 'Forget a job that is not under way',
    args: [QUEUE, { name: 'JOB' }],
    options: none,
    request: (input) => ({ method: 'DELETE', path: job(input) }),
    done: (input) => `Forgot job ${input.arg('JOB')}`,
  },
  {
    words: ['audit'],
    summary: 'What operators did, the latest first',
    args: [],
    options: {
      actor: { value: 'ACCOUNT', help: 'only by this operator', isAccount: true },
      target: { value: 'ID', help: 'only to this account, payment or job' },
    },
    request: (input) => ({
      method: 'GET',
      path: '/v1/admin/audit',
      query: { actorId: input.option('actor'), targetId: input.option('target') },
    }),
    columns: ['at', 'actorId', 'action', 'targetId', 'details', 'address', 'outcome', 'requestId'],
  },
];
