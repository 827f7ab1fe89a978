import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { KubeObject } from '#libs/contracts/kubernetes-objects.js';
import { merged } from './merge.js';

/** What the API server answers when it refuses. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly reason: string,
    message: string,
    /** The field at fault. */
    readonly field?: string,
  ) {
    super(message);
  }
}

export interface Preconditions {
  readonly uid?: string;
  readonly resourceVersion?: string;
}

type Json = Record<string, unknown>;

interface Entry {
  object: KubeObject;
  /** What was applied last, whole and to the status: what is missing in the next apply is dropped. */
  applied: Json;
  appliedStatus: Json;
}

export interface Change {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED';
  readonly path: string;
  readonly object: KubeObject;
  readonly version: number;
}

/** Objects by path (`/apis/…/<plural>/<name>`) under optimistic concurrency, as the API server keeps them. */
export class Store {
  readonly #entries = new Map<string, Entry>();
  readonly #changes: Change[] = [];
  #version = 100;
  /** Called after each change. */
  onChange: (() => void) | undefined;

  get version(): string {
    return String(this.#version);
  }

  /** What changed in a collection after that version. */
  changesIn(collection: string, after: number): Change[] {
    return this.#changes.filter(({ path, version }) => path.startsWith(`${collection}/`) && version > after);
  }

  get(path: string): KubeObject {
    return this.#entry(path).object;
  }

  /** The objects of a collection in the order of their names. */
  list(collection: string): KubeObject[] {
    const paths = [...this.#entries.keys()].filter((path) => path.startsWith(`${collection}/`)).sort();
    return paths.map((path) => this.get(path));
  }

  create(path: string, given: KubeObject): KubeObject {
    if (this.#entries.has(path)) throw new Refusal(409, 'AlreadyExists', `${path} already exists`);
    const { status: _status, ...rest } = given as KubeObject & { status?: unknown };
    const metadata = { ...given.metadata, uid: randomUUID(), creationTimestamp: new Date().toISOString() };
    const object = this.#versioned({ ...rest, metadata } as KubeObject);
    this.#entries.set(path, { object, applied: {}, appliedStatus: {} });
    this.#changed('ADDED', path, object);
    return object;
  }

  replace(path: string, given: KubeObject): KubeObject {
    const entry = this.#entry(path);
    assertPreconditions(entry.object, given.metadata);
    const { uid, creationTimestamp } = entry.object.metadata;
    const status = entry.object['status'] === undefined ? {} : { status: entry.object['status'] };
    return this.#write(path, entry, { ...given, ...status, metadata: { ...given.metadata, uid, creationTimestamp } } as KubeObject);
  }

  apply(path: string, given: KubeObject): KubeObject {
    const entry = this.#entries.get(path);
    const { status: _status, metadata, ...rest } = given as KubeObject & { status?: unknown };
    const { uid, resourceVersion, ...applied } = metadata;
    if (!entry) {
      if (uid !== undefined || resourceVersion !== undefined) {
        throw new Refusal(409, 'Conflict', 'the provided object specified a uid or version, and no existing object was found');
      }
      const object = this.create(path, given);
      const made = this.#entry(path);
      made.applied = { ...rest, metadata: applied };
      return object;
    }
    if (uid !== undefined && uid !== entry.object.metadata.uid) {
      throw new Refusal(422, 'Invalid', `metadata.uid: Invalid value: "${uid}": field is immutable`, 'metadata.uid');
    }
    assertPreconditions(entry.object, { ...(resourceVersion === undefined ? {} : { resourceVersion }) });
    const next = merged(entry.object as unknown as Json, entry.applied, { ...rest, metadata: applied });
    entry.applied = { ...rest, metadata: applied };
    return this.#write(path, entry, next as unknown as KubeObject);
  }

  applyStatus(path: string, given: KubeObject): KubeObject {
    const entry = this.#entry(path);
    const { resourceVersion } = given.metadata;
    assertPreconditions(entry.object, { ...(resourceVersion === undefined ? {} : { resourceVersion }) });
    const applied = (given['status'] ?? {}) as Json;
    const status = merged((entry.object['status'] ?? {}) as Json, entry.appliedStatus, applied);
    entry.appliedStatus = applied;
    return this.#write(path, entry, { ...entry.object, status });
  }

  delete(path: string, preconditions: Preconditions): void {
    const { object } = this.#entry(path);
    assertPreconditions(object, preconditions);
    this.#entries.delete(path);
    this.#changed('DELETED', path, this.#versioned(object));
    // In the background, as the garbage collector does.
    setImmediate(() => this.#collect(object.metadata.uid));
  }

  #collect(owner: string | undefined): void {
    for (const [path, { object }] of this.#entries) {
      if (object.metadata.ownerReferences?.some(({ uid }) => uid === owner)) this.delete(path, {});
    }
  }

  /** An unchanged object keeps its version. */
  #write(path: string, entry: Entry, next: KubeObject): KubeObject {
    const resourceVersion = entry.object.metadata.resourceVersion;
    const same = isDeepStrictEqual({ ...next, metadata: { ...next.metadata, resourceVersion } }, entry.object);
    if (!same) {
      entry.object = this.#versioned(next);
      this.#changed('MODIFIED', path, entry.object);
    }
    return entry.object;
  }

  #changed(type: Change['type'], path: string, object: KubeObject): void {
    this.#changes.push({ type, path, object, version: this.#version });
    this.onChange?.();
  }

  #versioned(object: KubeObject): KubeObject {
    return { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
  }

  #entry(path: string): Entry {
    const entry = this.#entries.get(path);
    if (!entry) throw new Refusal(404, 'NotFound', `${path} not found`);
    return entry;
  }
}

function assertPreconditions({ metadata }: KubeObject, { uid, resourceVersion }: Preconditions): void {
  if (uid !== undefined && uid !== metadata.uid) throw new Refusal(409, 'Conflict', 'Precondition failed: UID');
  if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
    throw new Refusal(409, 'Conflict', 'the object has been modified; please apply your changes to the latest version and try again');
  }
}
