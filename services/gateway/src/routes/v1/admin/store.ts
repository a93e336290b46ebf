import { Id, type Usage } from '@coffer/contracts';
import { type CallOptions, isAppError } from '@coffer/service-kit';
import Type from 'typebox';
import type { App, Gateway } from '../../../gateway.ts';
import { NoQuery, problems, Strict } from '../../schemas.ts';
import { audited } from './audited.ts';
import { StoreCheck, StoreUsage } from './schemas.ts';

const tags = ['operators'];
const Check = Strict(
  {
    accountId: Type.Optional(Type.Unsafe<string>({ ...Id, description: 'Only this one; all if not given' })),
    repair: Type.Optional(Type.Boolean({ description: 'Store what was counted' })),
    cursor: Type.Optional(
      Type.String({ minLength: 1, maxLength: 2048, description: '`nextCursor` of the check before' }),
    ),
  },
  { title: 'StoreCheckRequest' },
);
/** Accounts that are counted at a time. */
const WIDTH = 4;
/** A check of all accounts pauses after this time and says where it stopped, so that no proxy cuts it off. */
const BUDGET_MS = 20_000;
/** A tree of millions takes minutes to count. */
const RECOUNT_TIMEOUT_MS = 600_000;

interface Gap {
  accountId: string;
  stored: Usage;
  counted: Usage;
  isRepaired: boolean;
}
interface Findings {
  checkedAccounts: number;
  differing: Gap[];
  busy: string[];
  nextCursor: string | null;
}

export function storeRoutes(app: App, gateway: Gateway): void {
  const { auth, metadata, blob } = gateway;

  app.get(
    '/v1/admin/usage',
    {
      config: { op: 'admin.getUsage' },
      schema: {
        summary: 'What the whole store holds, and what is left of it',
        tags,
        querystring: NoQuery,
        response: { 200: StoreUsage, ...problems },
      },
    },
    async (request) => {
      const [totals, store] = await Promise.all([
        metadata.call('getTotals', {}, request.call),
        blob.call('status', {}, request.call),
      ]);
      return { ...totals, store };
    },
  );

  app.post(
    '/v1/admin/store/check',
    {
      config: { op: 'admin.checkStore' },
      schema: {
        summary: 'Count what accounts use anew, and ask how the store is',
        description: 'In an account that is being written to, the two counts may differ without anything being wrong.',
        tags,
        querystring: NoQuery,
        body: Check,
        response: { 200: StoreCheck, ...problems },
      },
    },
    async (request) => {
      const { accountId, repair = false, cursor } = request.body;
      const check = async (call: CallOptions) => {
        const findings =
          accountId === undefined ? await checkAll(call, repair, cursor) : await checkOne(call, repair, accountId);
        const store = await blob.call('status', {}, call);
        const isSound = findings.differing.every(({ isRepaired }) => isRepaired) && store.quarantined === 0;
        return { isSound: isSound && findings.busy.length === 0, ...findings, store };
      };
      if (!repair) return await check(request.call);
      return await audited(gateway, request, { targetId: accountId ?? null, details: { repair } }, check);
    },
  );

  const nothing = (): Findings => ({ checkedAccounts: 0, differing: [], busy: [], nextCursor: null });

  async function checkOne(call: CallOptions, repair: boolean, accountId: string): Promise<Findings> {
    await auth.call('getAccount', { params: { accountId } }, call);
    const findings = nothing();
    await count(call, repair, accountId, findings);
    return findings;
  }

  async function checkAll(call: CallOptions, repair: boolean, cursor: string | undefined): Promise<Findings> {
    const findings = nothing();
    const until = performance.now() + BUDGET_MS;
    let next = cursor;
    do {
      const page = await auth.call('findAccounts', { query: { limit: WIDTH, cursor: next } }, call);
      await Promise.all(page.items.map(({ id }) => count(call, repair, id, findings)));
      findings.nextCursor = page.nextCursor;
      next = page.nextCursor ?? undefined;
    } while (next !== undefined && performance.now() < until);
    return findings;
  }

  async function count(call: CallOptions, repair: boolean, accountId: string, findings: Findings): Promise<void> {
    findings.checkedAccounts++;
    try {
      const options = { ...call, timeoutMs: RECOUNT_TIMEOUT_MS };
      const body = { repair };
      const { stored, counted } = await metadata.call('recount', { params: { accountId }, body }, options);
      if (differ(stored, counted)) findings.differing.push({ accountId, stored, counted, isRepaired: repair });
    } catch (error) {
      if (!isAppError(error, 'busy')) throw error;
      findings.busy.push(accountId);
    }
  }
}

const FIGURES = ['usedBytes', 'liveBytes', 'trashBytes', 'versionBytes', 'files', 'folders'] as const;
const differ = (stored: Usage, counted: Usage): boolean => FIGURES.some((name) => stored[name] !== counted[name]);
