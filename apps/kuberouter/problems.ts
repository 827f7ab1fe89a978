import { messageOf } from '#libs/errors/platform-error.js';

export type Part = 'rules' | 'forwarding' | 'interface' | 'dnsmasq' | 'leases';

/** What does not work now, by part, each said once until it changes. */
export class Problems {
  readonly #now = new Map<Part, string>();
  readonly #say: (part: Part, problem: string | undefined) => void;

  constructor(say: (part: Part, problem: string | undefined) => void) {
    this.#say = say;
  }

  /** Does the work of a part; what it throws is its problem until the next time. Undefined when it threw. */
  async during<T>(part: Part, work: () => Promise<T> | T): Promise<T | undefined> {
    try {
      const result = await work();
      this.set(part, undefined);
      return result;
    } catch (error) {
      this.set(part, messageOf(error));
      return undefined;
    }
  }

  set(part: Part, problem: string | undefined): void {
    if (this.#now.get(part) === problem) return;
    if (problem === undefined) this.#now.delete(part);
    else this.#now.set(part, problem);
    this.#say(part, problem);
  }

  of(...parts: readonly Part[]): Record<string, string> {
    return Object.fromEntries([...this.#now].filter(([part]) => parts.includes(part)));
  }
}
