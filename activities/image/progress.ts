import type { ImportPlan } from '#libs/contracts/images.js';
import type { Call } from '../shared/guard.js';

const MB = 1_000_000;

/** How far a download is, where people look. */
export class Progress {
  /** Received by this attempt, and found of earlier ones. */
  bytes = 0;
  readonly #call: Call;
  readonly #totalBytes: number;
  readonly #begunAt = Date.now();
  #received = 0;
  #name = '';

  constructor(call: Call, plan: ImportPlan) {
    this.#call = call;
    this.#totalBytes = plan.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  }

  begin(name: string): void {
    this.#name = name;
    this.#say();
  }

  found(bytes: number): void {
    this.bytes += bytes;
    this.#say();
  }

  received(bytes: number): void {
    this.bytes += bytes;
    this.#received += bytes;
    this.#say();
  }

  #say(): void {
    const seconds = (Date.now() - this.#begunAt) / 1000;
    const rate = seconds > 1 ? `, ${mb(this.#received / seconds)} MB/s` : '';
    const percent = Math.floor((100 * this.bytes) / Math.max(1, this.#totalBytes));
    this.#call.waiting({ waitingFor: `${this.#name}: ${mb(this.bytes)} of ${mb(this.#totalBytes)} MB (${percent} %${rate})` });
  }
}

function mb(bytes: number): string {
  return (bytes / MB).toFixed(1);
}
