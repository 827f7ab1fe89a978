import { request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { TestApi } from './test-api.js';

const PATIENCE_MS = 20_000;

export interface EventStream {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Resolves with the text so far when it fits. */
  until(pattern: RegExp): Promise<string>;
  readonly ended: Promise<void>;
  hangUp(): void;
}

/** Server-sent events of an API that listens. */
export function openEvents(api: TestApi, path: string, headers: Readonly<Record<string, string>>): Promise<EventStream> {
  const { port } = api.app.getHttpServer().address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: '127.0.0.1', port, path, headers }, (response) => {
      let text = '';
      const waiting: (() => void)[] = [];
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
        for (const check of waiting) check();
      });
      resolve({
        status: response.statusCode ?? 0,
        headers: response.headers,
        until: (pattern) =>
          new Promise((found, failed) => {
            const late = setTimeout(() => failed(new Error(`not ${pattern} within ${PATIENCE_MS} ms: ${text}`)), PATIENCE_MS);
            const check = () => {
              if (!pattern.test(text)) return;
              clearTimeout(late);
              found(text);
            };
            waiting.push(check);
            check();
          }),
        ended: new Promise((end) => response.on('close', () => end())),
        hangUp: () => request.destroy(),
      });
    });
    request.on('error', reject);
    request.end();
  });
}
