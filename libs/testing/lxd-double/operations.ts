import { randomUUID } from 'node:crypto';
import type { EventHub } from './events.js';
import type { LxdFaults } from './faults.js';

export interface DoubleOperation {
  readonly id: string;
  readonly class: 'task' | 'websocket' | 'token';
  readonly description: string;
  readonly created_at: string;
  readonly updated_at: string;
  status: 'Running' | 'Success' | 'Failure';
  status_code: 103 | 200 | 400;
  readonly resources: Readonly<Record<string, readonly string[]>>;
  metadata: Readonly<Record<string, unknown>> | null;
  readonly may_cancel: boolean;
  err: string;
  readonly location: string;
}

export interface OperationSpec {
  readonly class?: DoubleOperation['class'];
  readonly description: string;
  readonly instance?: string;
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Returns the operation's last metadata; what it throws is the operation's failure. */
  readonly work: () => Promise<Readonly<Record<string, unknown>> | undefined>;
}

/** Metadata to keep although the operation failed, e.g. an exec's return code. */
export class OperationFailure extends Error {
  readonly metadata: Readonly<Record<string, unknown>>;

  constructor(text: string, metadata: Readonly<Record<string, unknown>>) {
    super(text);
    this.metadata = metadata;
  }
}

const VISIBLE_MS = 5_000;

export class DoubleOperations {
  readonly #known = new Map<string, { operation: DoubleOperation; ended: Promise<void> }>();
  readonly #timers = new Set<NodeJS.Timeout>();
  readonly #hub: EventHub;
  readonly #faults: LxdFaults;

  constructor(hub: EventHub, faults: LxdFaults) {
    this.#hub = hub;
    this.#faults = faults;
  }

  start({ class: kind = 'task', description, instance, metadata, work }: OperationSpec): DoubleOperation {
    const now = new Date().toISOString();
    const resources: Record<string, string[]> = instance === undefined ? {} : { instances: [`/1.0/instances/${instance}`] };
    if (instance !== undefined && description === 'Creating instance') resources['containers'] = [`/1.0/containers/${instance}`];
    const operation: DoubleOperation = {
      id: randomUUID(),
      class: kind,
      description,
      created_at: now,
      updated_at: now,
      status: 'Running',
      status_code: 103,
      resources,
      metadata: metadata ?? null,
      may_cancel: kind === 'token',
      err: '',
      location: 'none',
    };
    const ended = this.#run(operation, `${description} ${instance ?? ''}`, work);
    this.#known.set(operation.id, { operation, ended });
    this.#hub.operation(operation);
    return operation;
  }

  async #run(operation: DoubleOperation, label: string, work: OperationSpec['work']): Promise<void> {
    try {
      await this.#faults.held(label);
      const failure = this.#faults.takeFailure(label);
      if (failure !== undefined) throw new Error(failure);
      operation.metadata = (await work()) ?? operation.metadata;
      operation.status = 'Success';
      operation.status_code = 200;
    } catch (error) {
      if (error instanceof OperationFailure) operation.metadata = error.metadata;
      operation.status = 'Failure';
      operation.status_code = 400;
      operation.err = error instanceof Error ? error.message : String(error);
    }
    // A restarted daemon no longer knows it.
    if (!this.#known.has(operation.id)) return;
    this.#hub.operation(operation);
    if (this.#faults.vanishAtOnce) this.#known.delete(operation.id);
    else this.#after(VISIBLE_MS, () => this.#known.delete(operation.id));
  }

  get(id: string): DoubleOperation | undefined {
    return this.#known.get(id)?.operation;
  }

  all(): DoubleOperation[] {
    return [...this.#known.values()].map(({ operation }) => operation);
  }

  /** Resolves when it ended or the time is over. */
  async wait(id: string, seconds: number): Promise<void> {
    const known = this.#known.get(id);
    if (known?.operation.status !== 'Running') return;
    let timer: NodeJS.Timeout | undefined;
    const over = new Promise<void>((resolve) => {
      timer = this.#after(seconds * 1000, resolve);
    });
    await Promise.race([known.ended, ...(seconds < 0 ? [] : [over])]);
    clearTimeout(timer);
  }

  remove(id: string): void {
    this.#known.delete(id);
  }

  clear(): void {
    this.#known.clear();
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  #after(ms: number, run: () => void): NodeJS.Timeout {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    timer.unref();
    this.#timers.add(timer);
    return timer;
  }
}
