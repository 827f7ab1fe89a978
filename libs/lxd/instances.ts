import { z } from 'zod';
import type { CallOptions, CreateInstanceRequest, LxdInstances, LxdOperation, PatchOptions, StateAction } from './client.js';
import type { Change, Connection } from './connection.js';
import { protocolError } from './error-reasons.js';
import type { Operations } from './operations.js';
import { apiPath } from './paths.js';
import { instance, instanceState } from './schemas.js';
import type { LxdInstance, LxdInstanceState, Versioned } from './types.js';

const instanceList = z.array(instance);

export class Instances implements LxdInstances {
  readonly #connection: Connection;
  readonly #operations: Operations;

  constructor(connection: Connection, operations: Operations) {
    this.#connection = connection;
    this.#operations = operations;
  }

  async get(name: string, options: CallOptions = {}): Promise<Versioned<LxdInstance>> {
    const target = { path: apiPath(['instances', name]), what: `read instance ${name}` };
    const { value, http } = await this.#connection.read(target, instance, options);
    const { etag } = http.headers;
    if (typeof etag !== 'string') throw protocolError(target.what, 'header "etag" is missing');
    if (value.name !== name) throw protocolError(target.what, `field "name" says ${value.name}`);
    return { value, etag };
  }

  async list(options: CallOptions = {}): Promise<LxdInstance[]> {
    const target = { path: apiPath(['instances'], { recursion: 1 }), what: 'list instances' };
    return (await this.#connection.read(target, instanceList, options)).value;
  }

  /** A taken name, an unknown key and a bad device fail in the operation, not here (LXD 5.0.2, tried). */
  create(request: CreateInstanceRequest, options: CallOptions = {}): Promise<LxdOperation> {
    const { name, fingerprint, target, profiles, config, devices } = request;
    const body = { name, source: { type: 'image', fingerprint }, profiles, config, devices };
    return this.#start(
      { method: 'POST', path: apiPath(['instances'], target === undefined ? {} : { target }), body, what: `create instance ${name}` },
      options,
    );
  }

  async patchConfig(
    name: string,
    config: Readonly<Record<string, string>>,
    { etag, devices, ...options }: PatchOptions = {},
  ): Promise<void> {
    const headers = etag === undefined ? {} : { headers: { 'if-match': etag } };
    const path = apiPath(['instances', name]);
    await this.#connection.change(
      { method: 'PATCH', path, body: { config, ...(devices ? { devices } : {}) }, what: `change instance ${name}`, ...headers },
      options,
    );
  }

  /** `network` is null while it is stopped. */
  async state(name: string, options: CallOptions = {}): Promise<LxdInstanceState> {
    const target = { path: apiPath(['instances', name, 'state']), what: `read the state of instance ${name}` };
    return (await this.#connection.read(target, instanceState, options)).value;
  }

  /** A stop with `timeoutSeconds` 0 is a forced one to LXD 5.0.2. */
  changeState(
    name: string,
    change: { readonly action: StateAction; readonly timeoutSeconds: number; readonly force: boolean },
    options: CallOptions = {},
  ): Promise<LxdOperation> {
    const { action, timeoutSeconds: timeout, force } = change;
    const path = apiPath(['instances', name, 'state']);
    return this.#start({ method: 'PUT', path, body: { action, timeout, force }, what: `${action} instance ${name}` }, options);
  }

  delete(name: string, options: CallOptions = {}): Promise<LxdOperation> {
    return this.#start({ method: 'DELETE', path: apiPath(['instances', name]), what: `delete instance ${name}` }, options);
  }

  async #start(change: Change, options: CallOptions): Promise<LxdOperation> {
    const { id } = await this.#connection.start(change, options);
    return this.#operations.adopt(id, change.what);
  }
}
