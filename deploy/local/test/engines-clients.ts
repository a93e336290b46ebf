import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { MongoClient } from 'mongodb';

export interface Urls {
  mongodbUrl: string;
  natsUrl: string;
  redisUrl: string;
}

/** Says something to a text protocol and gives what came until `enough`; throws when the connection ends or five seconds pass before. */
function talk(url: string, words: string, enough: RegExp): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    let heard = '';
    const socket = connect(Number(port), hostname, () => socket.write(words));
    socket.setTimeout(5_000, () => socket.destroy());
    socket.on('data', (data) => {
      heard += String(data);
      if (!enough.test(heard)) return;
      resolve(heard);
      socket.destroy();
    });
    socket.on('error', reject).on('close', () => reject(new Error(`${url} said: ${heard}`)));
  });
}

/** A JetStream request over NATS's own text protocol; gives the answer. */
async function jetStream(url: string, subject: string, body: string): Promise<Record<string, unknown>> {
  const heard = await talk(
    url,
    `CONNECT {"verbose":false,"pedantic":false}\r\nSUB answer 1\r\nPUB ${subject} answer ${Buffer.byteLength(body)}\r\n${body}\r\n`,
    /MSG answer 1 (\d+)\r\n[\s\S]*\r\n/,
  );
  return JSON.parse(heard.slice(heard.indexOf('{', heard.indexOf('MSG answer'))).trimEnd());
}

async function withMongo<T>(url: string, action: (client: MongoClient) => Promise<T>): Promise<T> {
  const client = new MongoClient(url, { serverSelectionTimeoutMS: 5_000 });
  try {
    return await action(client);
  } finally {
    await client.close();
  }
}

/** Stores one fact in each engine. */
export async function store({ mongodbUrl, natsUrl, redisUrl }: Urls, fact: string): Promise<void> {
  await withMongo(mongodbUrl, (client) =>
    client
      .db('kept')
      .collection('facts')
      .insertOne({ fact }, { writeConcern: { w: 'majority', journal: true } }),
  );
  await jetStream(
    natsUrl,
    '$JS.API.STREAM.CREATE.FACTS',
    JSON.stringify({ name: 'FACTS', subjects: ['facts'], storage: 'file' }),
  );
  await jetStream(natsUrl, 'facts', fact);
  const answer = await talk(redisUrl, `SET ${fact} 1\r\n`, /\r\n/);
  if (!answer.startsWith('+OK')) throw new Error(answer);
}

/** Which engines still have a fact. */
export async function recall(
  { mongodbUrl, natsUrl, redisUrl }: Urls,
  fact: string,
): Promise<{ mongodb: boolean; nats: boolean; redis: boolean }> {
  const found = await withMongo(mongodbUrl, (client) => client.db('kept').collection('facts').countDocuments({ fact }));
  const message = await jetStream(natsUrl, '$JS.API.STREAM.MSG.GET.FACTS', JSON.stringify({ last_by_subj: 'facts' }));
  const redis = await talk(redisUrl, `GET ${fact}\r\n`, /\r\n/);
  // -LOADING: it still reads its log.
  if (redis.startsWith('-')) throw new Error(redis);
  const data = Object(message.message).data;
  return {
    mongodb: found === 1,
    nats: typeof data === 'string' && Buffer.from(data, 'base64').toString() === fact,
    redis: redis.startsWith('$1\r\n'),
  };
}

/** Repeats an action until it works, for at most `timeoutMs`. */
export async function eventually<T>(action: () => Promise<T>, timeoutMs: number): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await action();
    } catch (error) {
      if (Date.now() > end) throw error;
      await sleep(50);
    }
  }
}
