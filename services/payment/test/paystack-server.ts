import { createHmac } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

/**
 * A server that speaks as Paystack's public API reference says: initialize and verify a transaction, the envelope of answers and errors, and
 * signed webhooks. It keeps its transactions, checks what the reference says is checked, and misbehaves when told to.
 */
export interface PaystackServer {
  readonly url: string;
  readonly secretKey: string;
  readonly transactions: Map<string, Transaction>;
  /** Method, path and headers of what came in, in order. */
  readonly requests: { method: string; path: string; headers: IncomingMessage['headers']; body: string }[];
  /** The next request is answered by this instead. */
  misbehave(answer: (request: IncomingMessage, response: ServerResponse) => void): void;
  /** The person pays (or whatever else happens) on the provider's page. */
  become(reference: string, status: string): void;
  sign(body: string): string;
  /** An event as it would be sent. */
  webhook(event: string, data: Record<string, unknown>): { body: Buffer; headers: Record<string, string> };
  close(): Promise<void>;
}

export interface Transaction {
  id: number;
  reference: string;
  amount: number;
  currency: string;
  email: string;
  callbackUrl: string | null;
  metadata: unknown;
  status: string;
  paidAt: string | null;
  createdAt: string;
}

class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export async function startPaystackServer(secretKey = 'sk_test_b8f1c2d3e4'): Promise<PaystackServer> {
  const transactions = new Map<string, Transaction>();
  const requests: PaystackServer['requests'] = [];
  const misbehaviours: ((request: IncomingMessage, response: ServerResponse) => void)[] = [];

  function initialize(text: string): unknown {
    const body: Record<string, unknown> = JSON.parse(text);
    const { email, amount, currency = 'NGN', reference, callback_url: callbackUrl = null, metadata = null } = body;
    if (typeof email !== 'string' || !/^[^@\s]+@[^@\s]+\.[^@\s]+$/.test(email))
      throw new Refusal(400, 'Email is not allowed to be empty');
    if (typeof amount !== 'number' || !Number.isInteger(amount) || amount <= 0)
      throw new Refusal(400, 'You must specify a valid amount');
    if (typeof currency !== 'string' || !['NGN', 'GHS', 'ZAR', 'USD', 'KES'].includes(currency))
      throw new Refusal(403, 'Currency not supported by merchant');
    if (typeof reference !== 'string' || !/^[A-Za-z0-9.,=-]+$/.test(reference))
      throw new Refusal(400, 'Invalid character in transaction reference');
    if (transactions.has(reference)) throw new Refusal(400, 'Duplicate Transaction Reference');
    if (metadata !== null && typeof metadata !== 'string') throw new Refusal(400, 'Metadata must be a string');
    transactions.set(reference, {
      id: 4_099_260_516 + transactions.size,
      reference,
      amount,
      currency,
      email,
      callbackUrl: typeof callbackUrl === 'string' ? callbackUrl : null,
      metadata: metadata === null ? '' : JSON.parse(metadata),
      // What a transaction says of itself before anyone has paid.
      status: 'abandoned',
      paidAt: null,
      createdAt: new Date().toISOString(),
    });
    const code = Buffer.from(reference).toString('hex').slice(0, 15);
    return {
      status: true,
      message: 'Authorization URL created',
      data: { authorization_url: `https://checkout.paystack.com/${code}`, access_code: code, reference },
    };
  }

  function verify(reference: string): unknown {
    const found = transactions.get(reference);
    if (!found) throw new Refusal(400, 'Transaction reference not found.');
    return { status: true, message: 'Verification successful', data: transactionData(found) };
  }

  function answer(request: IncomingMessage, body: string): unknown {
    const { authorization } = request.headers;
    if (authorization === undefined) throw new Refusal(401, 'No Authorization Header was found');
    if (!authorization.startsWith('Bearer ')) throw new Refusal(401, 'Format is Authorization: Bearer [secret key]');
    if (authorization !== `Bearer ${secretKey}`) throw new Refusal(401, 'Invalid key');
    const { pathname } = new URL(request.url ?? '/', 'http://paystack.test');
    if (request.method === 'POST' && pathname === '/transaction/initialize') return initialize(body);
    const asked = /^\/transaction\/verify\/([^/]+)$/.exec(pathname)?.[1];
    if (request.method === 'GET' && asked !== undefined) return verify(decodeURIComponent(asked));
    throw new Refusal(404, 'Resource not found');
  }

  const server = createServer(async (request, response) => {
    let body = '';
    for await (const part of request.setEncoding('utf8')) body += part;
    requests.push({ method: request.method ?? '', path: request.url ?? '', headers: request.headers, body });
    const misbehaviour = misbehaviours.shift();
    if (misbehaviour) {
      misbehaviour(request, response);
      return;
    }
    try {
      sendJson(response, 200, answer(request, body));
    } catch (error) {
      if (error instanceof Refusal) sendJson(response, error.status, { status: false, message: error.message });
      else sendJson(response, 400, { status: false, message: 'Invalid JSON' });
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');

  const sign = (body: string): string => createHmac('sha512', secretKey).update(body, 'utf8').digest('hex');
  return {
    url: `http://127.0.0.1:${address.port}`,
    secretKey,
    transactions,
    requests,
    misbehave: (one) => misbehaviours.push(one),
    become(reference, status) {
      const found = transactions.get(reference);
      if (!found) throw new Error(`no transaction ${reference}`);
      found.status = status;
      if (status === 'success') found.paidAt = new Date().toISOString();
    },
    sign,
    webhook(event, data) {
      const body = JSON.stringify({ event, data });
      return {
        body: Buffer.from(body),
        headers: { 'content-type': 'application/json', 'x-paystack-signature': sign(body) },
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** A transaction as "Verify Transaction" and `charge.success` show it. */
export function transactionData(one: Transaction): Record<string, unknown> {
  return {
    id: one.id,
    domain: 'test',
    status: one.status,
    reference: one.reference,
    receipt_number: null,
    amount: one.amount,
    message: null,
    gateway_response: one.status === 'success' ? 'Successful' : 'The transaction was not completed',
    paid_at: one.paidAt,
    created_at: one.createdAt,
    channel: 'card',
    currency: one.currency,
    ip_address: '197.210.54.33',
    metadata: one.metadata,
    fees: one.status === 'success' ? Math.round(one.amount * 0.015) : null,
    customer: { id: 181_873_746, email: one.email, customer_code: 'CUS_1rkzaqsv4rrhqo6', first_name: null },
    authorization: one.status === 'success' ? { authorization_code: 'AUTH_uh8bcl3zbn', last4: '4081' } : {},
    paidAt: one.paidAt,
    createdAt: one.createdAt,
    requested_amount: one.amount,
    transaction_date: one.createdAt,
  };
}

export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers });
  response.end(JSON.stringify(body));
}
