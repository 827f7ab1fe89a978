import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import type { OctolxdConfig } from '#libs/config/octolxd.js';
import { isUnchanged, rangeOf } from '../http/conditions.js';
import { sendUnsatisfiable } from '../http/send.js';
import type { ServedFile } from '../offered.js';
import type { Upstream } from '../upstream.js';
import type { FileCache, OpenFile } from './file-cache.js';

export interface FileSenderOptions {
  readonly config: Pick<OctolxdConfig, 'files'>;
  readonly upstream: Upstream;
  readonly cache: FileCache;
}

/** Files of images: a redirect to GitHub, or the bytes, checked, from the cache. */
export class FileSender {
  readonly #redirects: boolean;

  constructor(private readonly options: FileSenderOptions) {
    const { serve } = options.config.files;
    this.#redirects = serve === 'redirect' || (serve === 'auto' && options.upstream.anonymousDownloads);
  }

  /** @throws what the file could not be got for, as long as nothing was sent; afterwards the connection is cut */
  async send(request: IncomingMessage, response: ServerResponse, file: ServedFile): Promise<void> {
    if (this.#redirects) {
      // Never to be remembered: where an asset is may change at any time.
      response.writeHead(302, { location: file.asset.downloadUrl, 'cache-control': 'no-store', 'content-length': 0 }).end();
      return;
    }
    const etag = `"${file.sha256}"`;
    const size = file.asset.sizeBytes;
    const common = { etag, 'accept-ranges': 'bytes', 'cache-control': 'no-cache' };
    if (isUnchanged(request.headers, { etags: [etag] })) return void response.writeHead(304, common).end();
    const range = rangeOf(request.headers, size, etag);
    if (range === 'unsatisfiable') return sendUnsatisfiable(response, size);
    const { first, last } = range ?? { first: 0, last: size - 1 };
    const headers = {
      ...common,
      'content-type': 'application/octet-stream',
      'content-length': last - first + 1,
      ...(range ? { 'content-range': `bytes ${first}-${last}/${size}` } : {}),
    };
    const status = range ? 206 : 200;
    if (request.method === 'HEAD') return void response.writeHead(status, headers).end();
    await this.#stream(response, file, { status, headers, first, last });
  }

  async #stream(
    response: ServerResponse,
    { repository, asset, sha256 }: ServedFile,
    { status, headers, first, last }: { status: number; headers: Record<string, string | number>; first: number; last: number },
  ): Promise<void> {
    const gone = new AbortController();
    response.once('close', () => gone.abort(new Error('the client has gone')));
    const opened = await this.options.cache.open({
      name: asset.name,
      sizeBytes: asset.sizeBytes,
      sha256,
      source: (from, signal) => this.options.upstream.openAsset('asset', repository, asset, { from, signal }),
    });
    try {
      await this.#checkedFirst(opened, gone.signal);
      if (gone.signal.aborted) return;
      response.writeHead(status, headers);
      await pipeline(Readable.from(opened.bytes(first, last, gone.signal), { objectMode: false, highWaterMark: 1 }), response);
    } catch (error) {
      if (!response.headersSent && !gone.signal.aborted) throw error;
      response.destroy();
    } finally {
      await opened.close();
    }
  }

  /** Most files are all there within seconds: then a client is told at once what is wrong with one. */
  async #checkedFirst({ checked }: OpenFile, gone: AbortSignal): Promise<void> {
    const timer = new AbortController();
    const stop = (): void => timer.abort();
    gone.addEventListener('abort', stop, { once: true });
    const late = delay(this.options.config.files.verifyFirstSeconds * 1000, undefined, { signal: timer.signal }).catch(() => undefined);
    try {
      await Promise.race([checked, late]);
    } finally {
      gone.removeEventListener('abort', stop);
      timer.abort();
    }
  }
}
