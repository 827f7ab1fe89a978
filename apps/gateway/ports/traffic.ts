/** When each webspace was last talked to by its forwarded ports, as far as this process knows. */
export class Traffic {
  readonly #last = new Map<string, number>();
  readonly #counted = new Map<string, number>();

  /** Somebody talked to it just now. */
  seen(name: string): void {
    this.#last.set(name, Date.now());
  }

  /**
   * Packets that the kernel has counted at a webspace's address. What was counted before this process looked for the first time is taken for
   * traffic of that moment: too late is the safe side.
   */
  counted(name: string, address: string, packets: number): void {
    const before = this.#counted.get(address) ?? 0;
    this.#counted.set(address, packets);
    if (packets > before) this.seen(name);
  }

  /** Addresses that are not counted any more: their counters begin anew. */
  keepOnly(addresses: ReadonlySet<string>): void {
    for (const address of this.#counted.keys()) if (!addresses.has(address)) this.#counted.delete(address);
  }

  forget(name: string): void {
    this.#last.delete(name);
  }

  /** ISO 8601; undefined when none was seen. */
  last(name: string): string | undefined {
    const at = this.#last.get(name);
    return at === undefined ? undefined : new Date(at).toISOString();
  }
}
