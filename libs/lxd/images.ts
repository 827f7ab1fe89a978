import { z } from 'zod';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions } from './client.js';
import type { Connection } from './connection.js';
import type { Operations } from './operations.js';
import { apiPath } from './paths.js';
import { image, imageAlias } from './schemas.js';
import type { LxdImage } from './types.js';

const imageList = z.array(image);

export class Images {
  readonly #connection: Connection;

  constructor(connection: Connection, _operations: Operations) {
    this.#connection = connection;
  }

  async list(options: CallOptions = {}): Promise<LxdImage[]> {
    const target = { path: apiPath(['images'], { recursion: 1 }), what: 'list images' };
    return (await this.#connection.read(target, imageList, options)).value;
  }

  async get(fingerprint: string, options: CallOptions = {}): Promise<LxdImage> {
    const target = { path: apiPath(['images', fingerprint]), what: `read image ${fingerprint}` };
    return (await this.#connection.read(target, image, options)).value;
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
}
