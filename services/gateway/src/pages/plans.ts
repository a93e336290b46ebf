import type { Plan } from '@coffer/contracts';
import { formatBytes, formatMoney } from './format.ts';
import { type Html, html } from './page.ts';

/** The plans that cost something, to choose one of; `hidden` goes with the choice. */
export function planForm(
  plans: readonly Plan[],
  {
    action,
    hidden,
    current,
  }: { action: string; hidden: Readonly<Record<string, string>>; current?: string | undefined },
): Html {
  const sold = plans.filter(({ price }) => price !== null);
  if (sold.length === 0) return html`<p class="note">There are no plans to buy here.</p>`;
  const chosen = sold.find(({ id }) => id === current) ?? sold[0];
  return html`<form method="post" action="${action}">
${Object.entries(hidden).map(([name, value]) => html`<input type="hidden" name="${name}" value="${value}">\n`)}<fieldset>
<legend>Choose a plan</legend>
${sold.map((plan) => choiceOf(plan, plan === chosen))}</fieldset>
<button class="main">Continue to payment</button>
</form>`;
}

const choiceOf = (plan: Plan, isChosen: boolean): Html => html`<label class="choice">
<input type="radio" name="planId" value="${plan.id}"${isChosen ? html` checked` : undefined} required>
<b>${plan.name} · ${formatBytes(plan.limitBytes)}</b><span>${daysOf(plan.periodDays)}</span><i>${priceOf(plan)}</i>
</label>
`;

export const priceOf = ({ price }: Plan): string => (price === null ? 'free' : formatMoney(price));

const daysOf = (days: number): string => (days === 1 ? '1 day' : `${days} days`);
