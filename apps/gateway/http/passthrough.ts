import { createServer, type Server, type Socket } from 'node:net';
import { GATEWAY_ALPN, GATEWAY_LINE } from '#libs/contracts/gateway.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import { LONGEST_HELLO, readClientHello } from '#libs/net/client-hello.js';
import { reach } from '../reach.js';
import type { Parts } from '../role.js';
import { joined } from '../stream.js';
import type { Waiting } from '../waiting.js';

const HELLO_WITHIN_MS = 10_000;
/** A hello in 256 records. */
const LONGEST_START = LONGEST_HELLO + 256 * 5;
/** TLS alerts (RFC 8446 section 6): a client shows what they mean instead of "connection reset". */
const ALERTS = { accessDenied: 49, decodeError: 50, internalError: 80, unrecognizedName: 112 } as const;

/**
 * TLS that is passed through: the webspace is found by the server name of the ClientHello, nothing is decrypted. A name that is nobody's gets the
 * alert `unrecognized_name`, one that is suspended `access_denied`, one that cannot be reached `internal_error`.
 */
export function createPassthrough(parts: Parts, waiting: Waiting): Server {
  return createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => client.destroy());
    serve(client, parts, waiting).catch((error: unknown) => {
      parts.log.debug({ error }, 'TLS connection refused');
      refuse(client, ALERTS.internalError);
    });
  });
}

async function serve(client: Socket, parts: Parts, waiting: Waiting): Promise<void> {
  const { directory, boots, metrics } = parts;
  const start = await startOf(client);
  if (!start) return;
  const { hello, bytes } = start;
  if (hello.is !== 'hello') return refuse(client, ALERTS.decodeError);
  if (hello.protocols.includes(GATEWAY_ALPN)) return void client.end(GATEWAY_LINE);
  const view = hello.serverName === undefined ? undefined : directory.byHost(hello.serverName);
  if (!view?.http.sniPassthrough) {
    metrics.refused('sni', directory.synced ? 'unknown-name' : 'not-ready');
    return refuse(client, ALERTS.unrecognizedName);
  }
  if (view.suspended) {
    metrics.refused('sni', 'suspended');
    return refuse(client, ALERTS.accessDenied);
  }
  const left = new AbortController();
  const gone = () => left.abort();
  client.once('close', gone);
  try {
    const visit = { trigger: 'sni', visited: hello.serverName ?? '', signal: left.signal } as const;
    const begun = performance.now();
    const server = await waiting.during(view.uid, () => reach(boots, view, view.http.port, visit));
    metrics.held('sni', (performance.now() - begun) / 1000);
    server.setNoDelay();
    const { there, back } = await joined(client, server, bytes);
    metrics.streamed('sni', there, back);
  } catch (error) {
    metrics.refused('sni', isPlatformError(error) ? error.code : 'unknown');
    throw error;
  } finally {
    client.off('close', gone);
  }
}

/** Everything up to the end of the ClientHello, or up to where it is known to be none; undefined when the client leaves, or takes too long. */
function startOf(client: Socket): Promise<{ hello: ReturnType<typeof readClientHello>; bytes: Buffer } | undefined> {
  return new Promise((resolve) => {
    let bytes: Buffer = Buffer.alloc(0);
    const timer = setTimeout(() => client.destroy(), HELLO_WITHIN_MS);
    const end = (hello?: ReturnType<typeof readClientHello>) => {
      clearTimeout(timer);
      client.off('data', read).off('close', left).off('end', ended);
      client.pause();
      resolve(hello && { hello, bytes });
    };
    const left = () => end();
    const ended = () => client.destroy();
    const read = (part: Buffer) => {
      bytes = bytes.length === 0 ? part : Buffer.concat([bytes, part]);
      const hello = readClientHello(bytes);
      if (hello.is !== 'incomplete') end(hello);
      else if (bytes.length > LONGEST_START) end({ is: 'no-hello', reason: 'too long' });
    };
    client.on('data', read).once('close', left).once('end', ended);
  });
}

function refuse(client: Socket, alert: number): void {
  if (client.destroyed) return;
  client.end(Buffer.from([21, 3, 3, 0, 2, 2, alert]));
  client.resume();
  // One that never ends its side has been told.
  client.setTimeout(1_000, () => client.destroy());
}
