import { hkdfSync } from 'node:crypto';
import { appError } from '@coffer/service-kit';
import type { Provider, Verification, WebhookHint } from '../../domain/provider.ts';
import { checkSignature, signatureOf } from '../hmac.ts';
import { asObject, asText, parseObject } from '../json.ts';
import type { SandboxCheckout, SandboxEvent, SandboxStatus, SandboxStore } from './model.ts';

const SIGNATURE_HEADER = 'x-sandbox-signature';
const KEY_BYTES = 64;

const statuses: Readonly<Record<SandboxStatus, Verification['status']>> = {
  open: 'pending',
  success: 'success',
  failed: 'failed',
  abandoned: 'abandoned',
  reversed: 'reversed',
};
const hints: Readonly<Partial<Record<string, WebhookHint['event']>>> = {
  'charge.success': 'settled',
  'refund.processed': 'reversed',
};

/** The key of the sandbox's webhooks; the secret that it comes from signs nothing else with it (RFC 5869). */
export const webhookKeyOf = (internalSecret: string): Buffer =>
  Buffer.from(hkdfSync('sha512', internalSecret, '', 'coffer sandbox webhooks', KEY_BYTES));

/** A webhook as it goes over the wire. */
export function webhookOf(
  key: Buffer,
  { reference, money, status, paidAt }: SandboxCheckout,
  event: SandboxEvent,
): { body: Buffer; headers: Record<string, string> } {
  const data = {
    reference,
    amount: money.amountMinor,
    currency: money.currency,
    status,
    paid_at: paidAt?.toISOString() ?? null,
  };
  const body = Buffer.from(JSON.stringify({ event, data }));
  return { body, headers: { 'content-type': 'application/json', [SIGNATURE_HEADER]: signatureOf(key, body) } };
}

/** A provider like the others, but that no money moves: its page is the gateway's, its books are a collection here. */
export function createSandboxProvider({ store, key }: { store: SandboxStore; key: Buffer }): Provider {
  return {
    name: 'sandbox',

    async initialize({ reference, money, callbackUrl, publicUrl, metadata }) {
      const kept = await store.insert({
        reference,
        planName: metadata.planName,
        money,
        returnUrl: returnUrlOf(callbackUrl, reference),
        status: 'open',
        paidAt: null,
        createdAt: new Date(),
        sends: [],
        rev: 1,
      });
      if (kept.money.amountMinor !== money.amountMinor || kept.money.currency !== money.currency)
        throw appError('conflict', 'The sandbox has seen this reference with another amount');
      return { checkoutUrl: `${publicUrl.replace(/\/+$/, '')}/sandbox/${encodeURIComponent(reference)}` };
    },

    async verify(reference) {
      const found = await store.get(reference);
      if (!found) throw appError('not_found', 'The sandbox knows no such payment');
      const { money, status, paidAt } = found;
      return { reference, money, status: statuses[status], ...(paidAt && { paidAt }) };
    },

    parseWebhook(rawBody, headers) {
      checkSignature(key, rawBody, { name: SIGNATURE_HEADER, headers });
      const message = parseObject(rawBody.toString('utf8'));
      const reference = asText(asObject(message?.data)?.reference);
      if (reference === undefined) return null;
      return { reference, event: hints[asText(message?.event) ?? ''] ?? 'other' };
    },
  };
}

/** Providers add the reference to where they send people back to; so does this one. */
function returnUrlOf(callbackUrl: string, reference: string): string {
  const url = new URL(callbackUrl);
  url.searchParams.set('trxref', reference);
  url.searchParams.set('reference', reference);
  return url.href;
}
