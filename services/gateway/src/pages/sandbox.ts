import Type from 'typebox';
import type { App, Gateway } from '../gateway.ts';
import { OneOf } from '../routes/schemas.ts';
import { formatMoney } from './format.ts';
import { type Html, html, sendPage } from './page.ts';
import { Form, goTo } from './scope.ts';
import { admitForm, welcomeVisitor } from './visitor.ts';

const Params = Type.Object({ reference: Type.String({ minLength: 1, maxLength: 100 }) });
const Act = Form({
  action: OneOf('pay', 'decline', 'abandon'),
  times: Type.Optional(OneOf('0', '1', '2', '10')),
  delay: Type.Optional(OneOf('0', '5', '30')),
  order: Type.Optional(OneOf('kept', 'shuffled')),
});

/** The sandbox's stand-in for a provider's page. As there, whoever has the unguessable address may pay. */
export function sandboxRoutes(app: App, gateway: Gateway): void {
  const { payment } = gateway;

  app.get(
    '/sandbox/:reference',
    { config: { op: 'pages.sandbox' }, schema: { hide: true, params: Params } },
    async (request, reply) => {
      const { reference } = request.params;
      const { formToken } = await welcomeVisitor(gateway, request, reply);
      const open = await payment.call('getSandboxCheckout', { params: { reference } }, request.call);
      return sendPage(reply, {
        title: `Pay ${formatMoney(open)}`,
        isSandbox: true,
        body: html`<p>This page stands where a payment provider's would. Nothing is charged, whatever you choose.</p>
<table><tbody>
<tr><th scope="row">For</th><td>${open.planName}</td></tr>
<tr><th scope="row">Amount</th><td>${formatMoney(open)}</td></tr>
<tr><th scope="row">Reference</th><td>${reference}</td></tr>
</tbody></table>
<form method="post" action="/sandbox/${encodeURIComponent(reference)}">
<input type="hidden" name="token" value="${formToken}">
<button class="main" name="action" value="pay">Pay</button>
<button name="action" value="decline">Decline</button>
<button name="action" value="abandon">Abandon</button>
${MESSAGES}
</form>`,
      });
    },
  );

  app.post(
    '/sandbox/:reference',
    { config: { op: 'pages.actInSandbox' }, schema: { hide: true, params: Params, body: Act } },
    async (request, reply) => {
      const { token, action, times = '1', delay = '0', order = 'kept' } = request.body;
      await admitForm(gateway, request, token);
      const webhooks = { times: Number(times), delayMs: Number(delay) * 1000, isShuffled: order === 'shuffled' };
      const input = { params: { reference: request.params.reference }, body: { action, webhooks } };
      const { signal: _, ...call } = request.call;
      const { returnUrl } = await payment.call('actInSandbox', input, call);
      return goTo(request, reply, returnUrl);
    },
  );
}

const options = (choices: Readonly<Record<string, string>>, selected: string): Html[] =>
  Object.entries(choices).map(
    ([value, text]) =>
      html`<option value="${value}"${value === selected ? html` selected` : undefined}>${text}</option>`,
  );

const MESSAGES = html`<details>
<summary>What the provider's messages do</summary>
<label for="times">How often each is sent</label>
<select id="times" name="times">${options({ '0': 'never: it is lost', '1': 'once', '2': 'twice', '10': 'ten times' }, '1')}</select>
<label for="delay">When</label>
<select id="delay" name="delay">${options({ '0': 'at once', '5': 'after 5 seconds', '30': 'after 30 seconds' }, '0')}</select>
<label for="order">In which order</label>
<select id="order" name="order">${options({ kept: 'as they happened', shuffled: 'out of order' }, 'kept')}</select>
</details>`;
