import type { Logger } from '@coffer/service-kit';
import { createTransport, type NodemailerError } from 'nodemailer';
import type { Mail } from '../domain/compose.ts';
import { openMailFolder } from './mail-folder.ts';

export interface OutgoingMail extends Mail {
  /** Becomes the Message-ID, or the name of the file: the same mail sent again is known for the same. */
  readonly id: string;
  /** One bare address. */
  readonly to: string;
  readonly at: Date;
}

export interface Mailer {
  /**
   * Resolves when the mail server has taken the mail, or the file is durable. Rejects with a DeliveryError. Over SMTP it is "at least once": where the
   * process ends, or the answer is lost, between the server's taking it and our noting that, it goes out again, with the same Message-ID.
   */
  send(mail: OutgoingMail): Promise<void>;
}

/** Tells nothing about the person: it gets into logs and into Redis. The server's own words are logged at `debug` only. */
export class DeliveryError extends Error {
  /** The server refused this very mail for good; it would refuse it again. */
  readonly permanent: boolean;

  constructor(message: string, permanent: boolean) {
    super(message);
    this.name = 'DeliveryError';
    this.permanent = permanent;
  }
}

const TIMEOUTS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 30_000, dnsTimeout: 10_000 };
// What a mail is made of comes from here alone; no name or address may make nodemailer read a file or a URL.
const NO_READING = { disableFileAccess: true, disableUrlAccess: true };

/** To the server that `smtpUrl` names, or as `.eml` files into `directory`. The only place that knows how mails are made and sent. */
export async function openMailer(o: {
  smtpUrl?: string | undefined;
  directory: string;
  from: string;
  logger: Logger;
}): Promise<Mailer> {
  const { smtpUrl, from, logger } = o;
  const domain = /@([^\s<>@]+)>?$/.exec(from)?.[1] ?? 'localhost';
  const fields = (mail: OutgoingMail) => ({
    from,
    // As an object it is one address, whatever signs it holds; as a string it would be parsed as a list.
    to: { name: '', address: mail.to },
    subject: mail.subject,
    text: mail.text,
    html: mail.html,
    date: mail.at,
    messageId: `<${mail.id}@${domain}>`,
    // RFC 3834: no holiday notices in answer to it.
    headers: { 'Auto-Submitted': 'auto-generated' },
    xMailer: false as const,
  });

  if (smtpUrl === undefined) {
    const files = createTransport({ streamTransport: true, buffer: true, newline: 'windows', ...NO_READING });
    const folder = await openMailFolder(o.directory);
    logger.warn({ folder: folder.path }, 'no SMTP_URL: mails are written to files');
    return {
      send: async (mail) => {
        const { message } = await files.sendMail(fields(mail));
        if (!Buffer.isBuffer(message)) throw new DeliveryError('The mail could not be made', false);
        const file = await folder.put(`${mail.id}.eml`, message);
        logger.info({ mailId: mail.id, file }, 'a mail was written to a file');
      },
    };
  }

  const smtp = createTransport({ url: smtpUrl, ...TIMEOUTS, ...NO_READING });
  return {
    send: async (mail) => {
      try {
        await smtp.sendMail(fields(mail));
      } catch (error) {
        logger.debug({ err: error, mailId: mail.id }, 'the mail server did not take a mail');
        throw withoutPerson(error);
      }
    },
  };
}

/**
 * Only an answer about the sender, the recipient or the message is for good. A refused greeting or log-in is about the configuration
 * or the server, and the mail waits for its repair.
 */
function withoutPerson(error: unknown): DeliveryError {
  if (!(error instanceof Error)) return new DeliveryError('The mail could not be sent', false);
  const { code, responseCode, command, response, permanent }: NodemailerError = error;
  const enhanced = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})/.exec(response ?? '')?.[1];
  const answer = [responseCode, enhanced, code, command].filter((one) => one !== undefined).join(' ');
  const aboutThisMail = code === 'EENVELOPE' || code === 'EMESSAGE';
  // An address that is none (`API`: before anything was sent) does not become one.
  const malformed = code === 'EENVELOPE' && command === 'API';
  return new DeliveryError(`The mail was not taken: ${answer}`, malformed || (aboutThisMail && permanent === true));
}
