import type { CallOptions, LxdClient, LxdOperation, OperationSummary } from './client.js';
import type { Connection } from './connection.js';
import { hasEnded, Operation } from './operation.js';
import { apiPath } from './paths.js';
import { operationsByStatus, type RawOperation } from './schemas.js';

export class Operations {
  readonly #connection: Connection;
  readonly #sliceSeconds: number;

  constructor(connection: Connection, sliceSeconds: number) {
    this.#connection = connection;
    this.#sliceSeconds = sliceSeconds;
  }

  /** The operation of that id; `what` is for its messages. The URL in LXD's answer is not used: it may carry `?project=`. */
  adopt(id: string, what = `carry out operation ${id}`): LxdOperation {
    return new Operation(this.#connection, { id, what, sliceSeconds: this.#sliceSeconds });
  }

  async running(filter: { readonly instance?: string } = {}, options: CallOptions = {}): Promise<OperationSummary[]> {
    const target = { path: apiPath(['operations'], { recursion: 1 }), what: 'list operations' };
    const { value } = await this.#connection.read(target, operationsByStatus, options);
    return Object.values(value)
      .flat()
      .filter(({ status_code }) => !hasEnded(status_code))
      .map(summary)
      .filter(({ instances }) => filter.instance === undefined || instances.includes(filter.instance));
  }

  get api(): LxdClient['operations'] {
    return { adopt: (id) => this.adopt(id), running: (filter, options) => this.running(filter, options) };
  }
}

function summary(operation: RawOperation): OperationSummary {
  const { id, description, status, status_code: statusCode, resources } = operation;
  const names = Object.values(resources).flat().flatMap(instanceName);
  return { id, description, status, statusCode, instances: [...new Set(names)] };
}

/** Resources name an instance as `/1.0/instances/x` or `/1.0/containers/x`, with or without `?project=` (LXD 5.0.2, tried). */
function instanceName(resource: string): string[] {
  const match = /^\/1\.0\/(?:instances|containers|virtual-machines)\/([^/?]+)/.exec(resource);
  return match?.[1] ? [decodeURIComponent(match[1])] : [];
}
