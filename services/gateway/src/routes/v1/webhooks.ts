import type { ProviderName } from '@coffer/contracts';
import type { FastifyRequest } from 'fastify';
import Type from 'typebox';
import type { App, Gateway } from '../../gateway.ts';
import { NoQuery, OneOf, problems, Strict } from '../schemas.ts';

const MAX_MESSAGE_BYTES = 1024 * 1024;
/** What a message's signature may come in; nothing else of its head matters to anyone. */
const SIGNATURE = /^x-[a-z]+-signature$/;

/** Takes bodies as they come, byte for byte, whatever their type says: signatures are over exactly these. */
export function takeRawMessages(app: App): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser<Buffer>(
    '*',
    { parseAs: 'buffer', bodyLimit: MAX_MESSAGE_BYTES },
    async (_request: FastifyRequest, body: Buffer) => body,
  );
}

/** Hands a provider's message on; for scopes with `takeRawMessages`. Throws `invalid_token` unless it is signed. */
export async function receiveMessage(gateway: Gateway, request: FastifyRequest, provider: ProviderName): Promise<void> {
  const bytes = Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0);
  const headers = Object.fromEntries(
    Object.entries(request.headers).flatMap(([name, value]) =>
      SIGNATURE.test(name) && typeof value === 'string' ? [[name, value]] : [],
    ),
  );
  // Whether the sender still waits must not decide whether a payment counts.
  const { signal: _, ...call } = request.call;
  const input = { params: { provider }, body: { bodyBase64: bytes.toString('base64'), headers } };
  await gateway.payment.call('receiveWebhook', input, call);
}

/** Where providers send their messages. Nobody logs in here: each message is signed. */
export function webhookRoute(app: App, gateway: Gateway): void {
  takeRawMessages(app);
  app.post(
    '/v1/webhooks/:provider',
    {
      config: { op: 'webhooks.receive', isPublic: true },
      schema: {
        summary: "A payment provider's signed message",
        tags: ['payments'],
        params: Strict({ provider: OneOf('paystack', 'sandbox') }),
        querystring: NoQuery,
        response: { 200: Type.Object({ received: Type.Boolean() }), ...problems },
      },
    },
    async (request) => {
      await receiveMessage(gateway, request, request.params.provider);
      return { received: true };
    },
  );
}
