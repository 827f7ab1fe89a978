import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as tlsConnect } from 'node:tls';
import { GATEWAY_ALPN, GATEWAY_HEADER, GATEWAY_LINE, GATEWAY_PROBE_PATH } from '#libs/contracts/gateway.js';
import type { Target } from './dial.js';

const TIMEOUT_MS = 500;
const MAX_STATUS_BYTES = 1_000_000;

/** Whether a visitor of the host who comes by this HTTPS entry point meets the gateway. Its certificate is not looked at. False for every error. */
export function pageIsGateways({ address, port }: Target, host: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const request = httpsRequest({
      host: address,
      port,
      servername: host,
      path: GATEWAY_PROBE_PATH,
      headers: { host },
      agent: false,
      rejectUnauthorized: false,
      timeout: TIMEOUT_MS,
      signal,
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
    request.once('response', (response) => {
      response.destroy();
      resolve(response.statusCode === 200 && response.headers[GATEWAY_HEADER] !== undefined);
    });
    request.once('close', () => resolve(false));
    request.end();
  });
}

/** As {@link pageIsGateways} for a host whose TLS is passed through: what answers is told by a ClientHello with the gateway's protocol. */
export function tlsIsGateways({ address, port }: Target, host: string, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: TIMEOUT_MS, signal });
    const hello = new Duplex({
      read: () => undefined,
      write(chunk, _encoding, done) {
        socket.write(chunk, () => done());
      },
    });
    const tls = tlsConnect({ socket: hello, servername: host, ALPNProtocols: [GATEWAY_ALPN], rejectUnauthorized: false });
    // No handshake is ever made.
    tls.on('error', () => undefined);
    let answer = '';
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (answer.length >= GATEWAY_LINE.length) socket.destroy();
    });
    socket.once('timeout', () => socket.destroy());
    socket.on('error', () => undefined);
    socket.once('close', () => {
      tls.destroy();
      resolve(answer.startsWith(GATEWAY_LINE));
    });
    socket.once('end', () => socket.destroy());
  });
}

/** JSON of a status page of one of our processes. @throws Error when it answers anything but 200 with JSON within half a second. */
export function readStatus({ address, port }: Target, path: string, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: address, port, path, agent: false, timeout: TIMEOUT_MS, signal });
    request.once('timeout', () => request.destroy(new Error(`${address}:${port} does not answer`)));
    request.once('error', reject);
    request.once('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.length > MAX_STATUS_BYTES) request.destroy(new Error(`${address}:${port} answers too much`));
      });
      response.once('error', reject);
      response.once('end', () => {
        if (response.statusCode !== 200) return reject(new Error(`${address}:${port} answers ${response.statusCode}`));
        try {
          resolve(JSON.parse(text));
        } catch (error) {
          reject(error);
        }
      });
    });
    request.end();
  });
}
