import { Plan } from '@coffer/contracts';
import { ConfigError } from '@coffer/service-kit';
import Type from 'typebox';
import { Value } from 'typebox/value';

/** A plan that costs something. */
export type PaidPlan = Plan & { price: NonNullable<Plan['price']> };

export interface Plans {
  readonly items: readonly Plan[];
  /** The one that costs nothing: what accounts begin with and fall back to. */
  readonly base: Plan;
  find(planId: string): Plan | undefined;
}

const naira = (amountMinor: number): { amountMinor: number; currency: string } => ({ amountMinor, currency: 'NGN' });

const GIB = 2 ** 30;

/** What is sold where the operator has set nothing; amounts in kobo. The base plan gives what a new account has, so that falling back to it takes nothing. */
export const defaultPlans = (freeLimitBytes: number): readonly Plan[] => [
  { id: 'free', name: 'Free', limitBytes: freeLimitBytes, price: null, periodDays: 30 },
  { id: 'basic', name: 'Basic', limitBytes: GIB, price: naira(200_000), periodDays: 30 },
  { id: 'standard', name: 'Standard', limitBytes: 5 * GIB, price: naira(500_000), periodDays: 30 },
  { id: 'premium', name: 'Premium', limitBytes: 10 * GIB, price: naira(1_000_000), periodDays: 30 },
];

const PlanList = Type.Array(Plan, { minItems: 1, maxItems: 100 });

/** The plans of the configuration (JSON; the default ones without it). Throws ConfigError. */
export function readPlans(json: string | undefined, freeLimitBytes: number): Plans {
  const items = json === undefined ? [...defaultPlans(freeLimitBytes)] : parse(json);
  const [base, another] = items.filter(({ price }) => price === null);
  if (base === undefined || another !== undefined) throw refused('must hold exactly one plan whose price is null');
  if (items.some(({ price }) => price?.amountMinor === 0)) throw refused('must give null as the price of what is free');
  const byId = new Map(items.map((plan) => [plan.id, plan]));
  if (byId.size !== items.length) throw refused('must not hold two plans of one id');
  return { items, base, find: (planId) => byId.get(planId) };
}

function parse(json: string): Plan[] {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw refused('must be JSON');
  }
  if (Value.Check(PlanList, value)) return value;
  const [first] = Value.Errors(PlanList, value);
  throw refused(`must be a list of plans: ${first?.instancePath || 'it'} ${first?.message ?? 'is not valid'}`);
}

const refused = (message: string): ConfigError => new ConfigError([{ name: 'PLANS', message }]);
