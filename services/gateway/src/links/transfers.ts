import type { Socket } from 'node:net';
import { events, type metadataContract } from '@coffer/contracts';
import type { Client, ServiceContext } from '@coffer/service-kit';
import type { FastifyReply } from 'fastify';
import Type from 'typebox';
import { Value } from 'typebox/value';

/** What is under way through links, to be ended when one of them is revoked. */
export interface LinkTransfers {
  /** Counts the request as one through this link until it is answered. */
  begin(linkId: string, reply: FastifyReply): void;
}

const POLL_MS = 500;
const MAX_ASKED = 1000;
const LinkRevoked = Type.Object({ linkId: Type.String() });

/**
 * Cuts the connections of transfers whose link is revoked: at once when the bus says so; and, since the bus may be away and repeats nothing, the
 * metadata service is asked every half second about the links that have transfers. Nothing is asked while there are none.
 */
export function createLinkTransfers(ctx: ServiceContext, metadata: Client<typeof metadataContract>): LinkTransfers {
  const sockets = new Map<string, Map<FastifyReply, Socket>>();
  let timer: NodeJS.Timeout | undefined;

  const cut = (linkId: string): void => {
    for (const socket of sockets.get(linkId)?.values() ?? []) socket.destroy();
  };
  const poll = async (): Promise<void> => {
    const linkIds = [...sockets.keys()];
    try {
      for (let at = 0; at < linkIds.length; at += MAX_ASKED) {
        const body = { linkIds: linkIds.slice(at, at + MAX_ASKED) };
        for (const linkId of (await metadata.call('revokedLinks', { body })).linkIds) cut(linkId);
      }
    } catch (error) {
      ctx.logger.debug({ err: error }, 'revoked links could not be asked for');
    }
    timer = undefined;
    wait();
  };
  const wait = (): void => {
    if (sockets.size > 0 && !ctx.shutdown.signal.aborted) timer ??= setTimeout(() => void poll(), POLL_MS).unref();
  };

  ctx.bus.subscribe(events.linkRevoked.type, ({ data }) => {
    if (Value.Check(LinkRevoked, data)) cut(data.linkId);
    else ctx.logger.error('a revoked link that cannot be read');
  });
  ctx.shutdown.onPhase('leave', 'link transfers', () => clearTimeout(timer));

  return {
    begin(linkId, reply) {
      const ofLink = sockets.get(linkId) ?? new Map<FastifyReply, Socket>();
      ofLink.set(reply, reply.request.raw.socket);
      sockets.set(linkId, ofLink);
      // The answer's end, or the connection's: the request's own `close` comes as soon as its body was read.
      reply.raw.once('close', () => {
        ofLink.delete(reply);
        if (ofLink.size === 0 && sockets.get(linkId) === ofLink) sockets.delete(linkId);
      });
      wait();
    },
  };
}
