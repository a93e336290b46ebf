import type { WebhookHint } from '../../domain/provider.ts';
import { asObject, asText, type Loose } from '../json.ts';

/**
 * What an event is about (Paystack documentation, "Webhooks", "Refunds", "Disputes"). A refund and a dispute name the transaction by another member than
 * a charge does. Amounts are not looked at: those of refunds come as strings or as numbers, and `verify` is asked anyway. Null: about no payment
 * of ours, such as a transfer.
 */
export function hintOf(message: Loose): WebhookHint | null {
  const event = asText(message.event);
  const data = asObject(message.data);
  if (event === undefined || !data) return null;
  if (event.startsWith('charge.dispute.')) {
    const reference = asText(asObject(data.transaction)?.reference);
    if (reference === undefined) return null;
    return { reference, event: event === 'charge.dispute.resolve' ? 'reversed' : 'other' };
  }
  if (event.startsWith('refund.')) {
    const reference = asText(data.transaction_reference);
    if (reference === undefined) return null;
    return { reference, event: event === 'refund.processed' ? 'reversed' : 'other' };
  }
  if (event.startsWith('charge.')) {
    const reference = asText(data.reference);
    if (reference === undefined) return null;
    return { reference, event: event === 'charge.success' ? 'settled' : 'other' };
  }
  return null;
}
