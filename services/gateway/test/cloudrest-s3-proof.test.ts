/** Requests are signed as AWS publishes it: "Examples: Signature Calculations" of the Amazon S3 API Reference. */
import t from 'tap';
import { signedHeaders } from '../src/dialects/cloudrest/s3-proof.ts';

const pair = { id: 'AKIAIOSFODNN7EXAMPLE', secret: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
const at = new Date('2013-05-24T00:00:00Z');
const HOST = 'https://examplebucket.s3.amazonaws.com';

t.test('signatures', async (t) => {
  const vectors = [
    ['/?lifecycle', {}, 'fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543'],
    ['/?max-keys=2&prefix=J', {}, '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7'],
    ['/test.txt', { range: 'bytes=0-9' }, 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41'],
  ] as const;
  for (const [target, headers, signature] of vectors) {
    const signed = await signedHeaders(`${HOST}${target}`, pair, { region: 'us-east-1', headers, at });
    const [, got] = /Signature=([0-9a-f]+)$/.exec(signed.authorization ?? '') ?? [];
    t.equal(got, signature, target);
  }
});
