import { z } from 'zod';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions, LxdOperation } from './client.js';
import type { ImageSource } from './client-parts.js';
import type { Change, Connection } from './connection.js';
import { uploadBody } from './image-upload.js';
import type { Operations } from './operations.js';
import { apiPath } from './paths.js';
import { image, imageAlias } from './schemas.js';
import type { LxdImage, Versioned } from './types.js';

const imageList = z.array(image);
const UPLOAD_TIMEOUT_MS = 30 * 60_000;

type ImportOptions = CallOptions & { readonly public?: boolean; readonly properties?: Readonly<Record<string, string>> };
type PublishOptions = CallOptions & { readonly aliases: readonly string[]; readonly properties: Readonly<Record<string, string>> };
type AliasOptions = CallOptions & { readonly description?: string };

export class Images {
  readonly #connection: Connection;
  readonly #operations: Operations;

  constructor(connection: Connection, operations: Operations) {
    this.#connection = connection;
    this.#operations = operations;
  }

  async list(options: CallOptions = {}): Promise<LxdImage[]> {
    const target = { path: apiPath(['images'], { recursion: 1 }), what: 'list images' };
    return (await this.#connection.read(target, imageList, options)).value;
  }

  async get(fingerprint: string, options: CallOptions = {}): Promise<LxdImage> {
    const target = { path: apiPath(['images', fingerprint]), what: `read image ${fingerprint}` };
    return (await this.#connection.read(target, image, options)).value;
  }

  async getVersioned(fingerprint: string, options: CallOptions = {}): Promise<Versioned<LxdImage>> {
    const target = { path: apiPath(['images', fingerprint]), what: `read image ${fingerprint}` };
    const { value, http } = await this.#connection.read(target, image, options);
    return { value, etag: http.headers['etag'] ?? '' };
  }

  /** LXD 5.0.2 keeps the properties that a PATCH does not name (source). */
  async patchProperties(
    fingerprint: string,
    properties: Readonly<Record<string, string>>,
    { etag, ...call }: CallOptions & { readonly etag?: string } = {},
  ): Promise<void> {
    const path = apiPath(['images', fingerprint]);
    const headers = etag === undefined ? {} : { 'if-match': etag };
    await this.#connection.change(
      { method: 'PATCH', path, body: { properties }, headers, what: `change properties of image ${fingerprint}` },
      call,
    );
  }

  async resolveAlias(alias: string, options: CallOptions = {}): Promise<string> {
    const target = { path: apiPath(['images', 'aliases', alias]), what: `read image alias ${alias}` };
    try {
      return (await this.#connection.read(target, imageAlias, options)).value.target;
    } catch (error) {
      if (!isPlatformError(error, 'NOT_FOUND')) throw error;
      const details = { ...error.details, alias };
      throw new PlatformError('NOT_FOUND', `There is no image with the alias "${alias}".`, { details, cause: error });
    }
  }

  /** An image that exists already fails in the operation: CONFLICT. */
  async import(source: ImageSource, options: ImportOptions = {}): Promise<LxdOperation> {
    const { public: isPublic = false, properties = {}, ...call } = options;
    const what = 'import an image';
    const { headers, body } = await uploadBody(source);
    const { id } = await this.#connection.startRaw({
      method: 'POST',
      path: apiPath(['images']),
      what,
      body,
      headers: { ...headers, 'x-lxd-public': isPublic ? '1' : '0', 'x-lxd-properties': new URLSearchParams(properties).toString() },
      timeoutMs: UPLOAD_TIMEOUT_MS,
      ...call,
    });
    return this.#operations.adopt(id, what);
  }

  async publish(instance: string, options: PublishOptions): Promise<LxdOperation> {
    const { aliases, properties, ...call } = options;
    const body = {
      public: false,
      properties,
      aliases: aliases.map((name) => ({ name, description: '' })),
      source: { type: 'instance', name: instance },
    };
    const change: Change = { method: 'POST', path: apiPath(['images']), body, what: `publish instance ${instance}` };
    const { id } = await this.#connection.start(change, call);
    return this.#operations.adopt(id, change.what);
  }

  async delete(fingerprint: string, options: CallOptions = {}): Promise<LxdOperation> {
    const change: Change = { method: 'DELETE', path: apiPath(['images', fingerprint]), what: `delete image ${fingerprint}` };
    const { id } = await this.#connection.start(change, options);
    return this.#operations.adopt(id, change.what);
  }

  async createAlias(name: string, target: string, { description = '', ...call }: AliasOptions = {}): Promise<void> {
    const path = apiPath(['images', 'aliases']);
    await this.#connection.change({ method: 'POST', path, body: { name, target, description }, what: `make image alias ${name}` }, call);
  }

  async updateAlias(name: string, target: string, { description = '', ...call }: AliasOptions = {}): Promise<void> {
    const path = apiPath(['images', 'aliases', name]);
    await this.#connection.change({ method: 'PUT', path, body: { target, description }, what: `change image alias ${name}` }, call);
  }

  async deleteAlias(name: string, options: CallOptions = {}): Promise<void> {
    const path = apiPath(['images', 'aliases', name]);
    await this.#connection.change({ method: 'DELETE', path, what: `delete image alias ${name}` }, options);
  }
}
