import type { NodeRecord } from '@coffer/contracts';
import { appError, isAppError } from '@coffer/service-kit';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { readSignedPath } from '../../domain/signed-paths.ts';
import { sendContent } from '../../downloads/send-content.ts';
import type { App, Gateway } from '../../gateway.ts';
import { MEDIA } from './listing.ts';

/** `url` of a listing, for whoever has it, as long as the file is there. The name at its end is for people; the proof says which file. */
export function mediaRoute(app: App, gateway: Gateway): void {
  const send = async (request: FastifyRequest<{ Params: { proof: string } }>, reply: FastifyReply) => {
    const facts = readSignedPath(gateway.ctx.internalSecret, MEDIA, request.params.proof);
    if (facts === null) throw gone();
    request.setPrincipal({ accountId: facts.accountId, role: 'user', readOnly: true });
    const { content, name, ownerId, linkEpoch = 0 } = await find(gateway, request, facts.nodeId);
    if (content === undefined || ownerId !== facts.accountId || linkEpoch !== facts.epoch) throw gone();
    return await sendContent(gateway, request, reply, { content, name, download: false });
  };
  // HEAD by itself: the framework's own would say that the file has no bytes.
  for (const method of ['GET', 'HEAD']) {
    app.route({
      method,
      url: '/media/:proof/:name',
      exposeHeadRoute: false,
      config: { op: 'vertex.media' },
      handler: send,
    });
  }
}

async function find(gateway: Gateway, request: FastifyRequest, id: string): Promise<NodeRecord> {
  try {
    return await gateway.nodes({ id }, request);
  } catch (error) {
    throw isAppError(error, 'not_found') ? gone() : error;
  }
}

const gone = () => appError('not_found', 'File matching query does not exist.');
