import { readFile } from 'node:fs/promises';
import { request } from 'node:https';
import { text } from 'node:stream/consumers';
import type { TLSSocket } from 'node:tls';
import { z } from 'zod';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';
import { fingerprintsOf } from '#libs/lxd/pins.js';
import { timeLimit } from '#libs/net/time-limit.js';
import { type Admission, admission } from './admit.js';

const TIMEOUT_MS = 30_000;
const refusal = z.looseObject({ message: z.string() });

export interface JoinQuestion {
  readonly addresses: readonly string[];
  readonly port: number;
  /** File with the token by which this pod shows who it is. */
  readonly token: string;
  /** PEM: by one of these a member of the cluster is known. */
  readonly certificates: string;
  readonly volume: string;
}

/** Asks the members, one after the other, until one lets us in. @throws PlatformError UNAVAILABLE that says what each of them said. */
export async function askToJoin(question: JoinQuestion, signal: AbortSignal): Promise<Admission> {
  const token = (await readFile(question.token, 'utf8')).trim();
  /** What was said, by whom. */
  const said = new Map<string, string[]>();
  for (const address of question.addresses) {
    try {
      return await askOne(address, token, question, signal);
    } catch (error) {
      signal.throwIfAborted();
      said.set(messageOf(error), [...(said.get(messageOf(error)) ?? []), address]);
    }
  }
  const each = [...said].map(([what, by]) => `${by.join(', ')}: ${what}`).join('; ') || 'there is no other pod';
  throw new PlatformError('UNAVAILABLE', `no member has let this one in yet (${each})`);
}

async function askOne(host: string, token: string, { port, certificates, volume }: JoinQuestion, signal: AbortSignal): Promise<Admission> {
  const pins = fingerprintsOf(certificates);
  const body = JSON.stringify({ volume });
  const limit = AbortSignal.any([signal, timeLimit(TIMEOUT_MS)]);
  return new Promise((resolve, reject) => {
    const asked = request({
      host,
      port,
      path: '/join',
      method: 'POST',
      // The pin decides; all members present one certificate, whose names say nothing.
      rejectUnauthorized: false,
      agent: false,
      signal: limit,
    });
    asked.on('error', (error) => reject(limit.aborted && !signal.aborted ? new Error(`no answer within ${TIMEOUT_MS} ms`) : error));
    asked.on('socket', (socket) =>
      // The token leaves only after this.
      socket.once('secureConnect', () => {
        const seen = (socket as TLSSocket).getPeerX509Certificate()?.fingerprint256;
        if (seen === undefined || !pins.includes(seen))
          return asked.destroy(new Error('it shows another certificate than the cluster has'));
        asked.setHeader('authorization', `Bearer ${token}`);
        asked.setHeader('content-type', 'application/json');
        asked.end(body);
      }),
    );
    asked.on('response', async (answer) => {
      try {
        const parsed: unknown = JSON.parse(await text(answer));
        if (answer.statusCode === 200) return resolve(admission.parse(parsed));
        throw new Error(refusal.parse(parsed).message);
      } catch (error) {
        reject(error);
      }
    });
  });
}
