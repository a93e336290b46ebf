import { appError } from '@coffer/service-kit';
import type { CheckoutRequest, Provider, Verification } from '../../domain/provider.ts';
import { checkSignature } from '../hmac.ts';
import { asDate, asMoney, asText, parseObject } from '../json.ts';
import { createPaystackApi } from './api.ts';
import { hintOf } from './webhook.ts';

export interface PaystackOptions {
  /** `sk_test_…` or `sk_live_…`: proves us to Paystack, and its webhooks to us. */
  readonly secretKey: string;
  readonly url: string;
  /** Paystack wants an address of everyone. Who has none gets `<account id>@<this>`, where nothing is ever delivered (RFC 2606). */
  readonly mailDomain: string;
  readonly timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 8_000;
/** Paystack API reference, "Initialize Transaction". */
const LEGAL_REFERENCE = /^[A-Za-z0-9.,=-]{1,100}$/;
const SIGNATURE_HEADER = 'x-paystack-signature';

/**
 * "Transaction statuses" of Paystack's "Verify Payments". Its `abandoned` says only that the person has not paid yet, and is what every transaction
 * says from its first moment: when to stop waiting is ours to decide.
 */
const statuses = new Map<unknown, Verification['status']>([
  ['success', 'success'],
  ['failed', 'failed'],
  ['reversed', 'reversed'],
  ['abandoned', 'pending'],
  ['ongoing', 'pending'],
  ['pending', 'pending'],
  ['processing', 'pending'],
  ['queued', 'pending'],
]);

/** The driver of Paystack (paystack.com/docs/api/transaction). `initialize` also throws `conflict`: the reference was used, and its page is not told again. */
export function createPaystack(o: PaystackOptions): Provider {
  const url = o.url.replace(/\/+$/, '');
  const api = createPaystackApi({ secretKey: o.secretKey, url, timeoutMs: o.timeoutMs ?? DEFAULT_TIMEOUT_MS });

  return {
    name: 'paystack',

    async initialize(request, signal) {
      const { reference } = request;
      requireLegal(reference);
      const data = await api.post('/transaction/initialize', initialization(request, o.mailDomain), signal);
      const checkoutUrl = asText(data.authorization_url);
      if (data.reference !== reference) throw odd('another reference than was asked for');
      if (checkoutUrl === undefined || !isPage(checkoutUrl, url)) throw odd('no address to pay at');
      return { checkoutUrl };
    },

    async verify(reference, signal) {
      requireLegal(reference);
      const data = await api.get(`/transaction/verify/${encodeURIComponent(reference)}`, signal);
      if (data.reference !== reference) throw odd('another reference than was asked for');
      const status = statuses.get(data.status);
      if (!status) throw odd('a status that is not known');
      const money = asMoney(data.amount, data.currency);
      if (!money) throw odd('no whole amount with a currency');
      // Both spellings are documented. Without a time the payment counts all the same.
      const paidAt = asDate(data.paid_at) ?? asDate(data.paidAt);
      return { status, money, reference, ...(paidAt && { paidAt }) };
    },

    parseWebhook(rawBody, headers) {
      checkSignature(o.secretKey, rawBody, { name: SIGNATURE_HEADER, headers });
      const message = parseObject(rawBody.toString('utf8'));
      return message ? hintOf(message) : null;
    },
  };
}

function initialization(request: CheckoutRequest, mailDomain: string): Record<string, unknown> {
  const { reference, money, email, callbackUrl, metadata } = request;
  return {
    reference,
    amount: money.amountMinor,
    currency: money.currency,
    email: email ?? `${metadata.accountId}@${mailDomain}`,
    callback_url: callbackUrl,
    // A string of JSON by the reference. `cancel_action` is where the page's own way out leads.
    metadata: JSON.stringify({ ...metadata, cancel_action: callbackUrl }),
  };
}

function requireLegal(reference: string): void {
  if (!LEGAL_REFERENCE.test(reference)) throw new Error('Paystack takes no such reference');
}

/** People are sent there: an answer must not lead from a safe page to an unsafe one, nor into a script. */
function isPage(address: string, apiUrl: string): boolean {
  const page = URL.parse(address);
  if (page?.protocol === 'https:') return true;
  return page?.protocol === 'http:' && apiUrl.startsWith('http:');
}

const odd = (what: string): Error =>
  appError('upstream', 'The payment provider did not answer properly', {
    cause: new Error(`Paystack answered with ${what}`),
  });
