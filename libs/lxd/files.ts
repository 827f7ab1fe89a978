import { z } from 'zod';
import { parseMetadata, readAnswer, readBytes } from './answer.js';
import type { CallOptions } from './client.js';
import type { FileOwner, LxdFile, LxdFiles } from './client-parts.js';
import type { Connection } from './connection.js';
import { protocolError } from './error-reasons.js';
import { apiPath } from './paths.js';
import type { HttpAnswer, HttpRequest } from './transport.js';

const fileHeaders = z.object({
  'x-lxd-type': z.enum(['file', 'symlink', 'directory']),
  'x-lxd-uid': z.coerce.number().int(),
  'x-lxd-gid': z.coerce.number().int(),
  'x-lxd-mode': z.string().regex(/^[0-7]+$/),
});

const names = z.array(z.string()).nullish();

export class Files implements LxdFiles {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  async get(instance: string, path: string, options: CallOptions = {}): Promise<LxdFile> {
    const what = `read ${path} of instance ${instance}`;
    const answer = await this.#connection.transport.request({ method: 'GET', path: this.#path(instance, path), what, ...options });
    const bytes = readBytes(answer, what);
    const headers = parseMetadata(answer.headers, fileHeaders, what);
    const isDirectory = headers['x-lxd-type'] === 'directory';
    return {
      type: headers['x-lxd-type'],
      content: isDirectory ? Buffer.alloc(0) : bytes,
      entries: isDirectory ? entriesOf(answer, what) : [],
      uid: headers['x-lxd-uid'],
      gid: headers['x-lxd-gid'],
      mode: Number.parseInt(headers['x-lxd-mode'], 8) & 0o7777,
    };
  }

  async put(
    instance: string,
    path: string,
    file: FileOwner & { readonly content: NonNullable<HttpRequest['body']> },
    options: CallOptions = {},
  ): Promise<void> {
    const what = `write ${path} of instance ${instance}`;
    const headers = { 'x-lxd-type': 'file', 'x-lxd-write': 'overwrite', ...ownerHeaders(file) };
    await this.#change('POST', instance, path, { what, headers, body: file.content, ...options });
  }

  async mkdir(instance: string, path: string, owner: FileOwner = {}, options: CallOptions = {}): Promise<void> {
    const what = `make folder ${path} of instance ${instance}`;
    await this.#change('POST', instance, path, { what, headers: { 'x-lxd-type': 'directory', ...ownerHeaders(owner) }, ...options });
  }

  async delete(instance: string, path: string, options: CallOptions = {}): Promise<void> {
    await this.#change('DELETE', instance, path, { what: `delete ${path} of instance ${instance}`, ...options });
  }

  async #change(method: 'POST' | 'DELETE', instance: string, path: string, request: Omit<HttpRequest, 'method' | 'path'>): Promise<void> {
    // As application/x-www-form-urlencoded LXD answers 200 and writes an empty file (LXD 5.0.2, tried).
    const headers = { 'content-type': 'application/octet-stream', ...request.headers };
    const answer = await this.#connection.transport.request({ ...request, method, path: this.#path(instance, path), headers });
    if (readAnswer(answer, request.what).kind !== 'sync') throw protocolError(request.what, 'an operation came where LXD answers at once');
  }

  #path(instance: string, path: string): string {
    return apiPath(['instances', instance, 'files'], { path });
  }
}

function entriesOf(answer: HttpAnswer, what: string): string[] {
  return parseMetadata(readAnswer(answer, what).metadata, names, what) ?? [];
}

function ownerHeaders({ uid, gid, mode }: FileOwner): Record<string, string> {
  return {
    ...(uid === undefined ? {} : { 'x-lxd-uid': String(uid) }),
    ...(gid === undefined ? {} : { 'x-lxd-gid': String(gid) }),
    ...(mode === undefined ? {} : { 'x-lxd-mode': `0${mode.toString(8)}` }),
  };
}
