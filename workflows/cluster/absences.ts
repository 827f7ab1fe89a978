import type { MemberRow } from '../../libs/contracts/upgrades.js';

/** From the deletion of a member's pod until it was seen to serve again. ISO 8601. */
export interface Absence {
  readonly from: string;
  until?: string;
}

/** When which members were away, of those whose pods a run has deleted. */
export class Absences {
  readonly #of = new Map<string, Absence[]>();

  /** The pods of these members are being deleted from now on. */
  begin(members: readonly string[]): void {
    for (const member of members) {
      const times = this.#of.get(member) ?? [];
      // A deletion that is tried again is the same absence.
      if (times.length === 0 || times.at(-1)?.until !== undefined) times.push({ from: new Date().toISOString() });
      this.#of.set(member, times);
    }
  }

  /** They have not gone after all. */
  takeBack(members: readonly string[]): void {
    for (const member of members) {
      const times = this.#of.get(member);
      if (times?.at(-1)?.until === undefined) times?.pop();
    }
  }

  seen(table: readonly MemberRow[], at: string): void {
    for (const { member, answers } of table) {
      const last = this.#of.get(member)?.at(-1);
      if (last && last.until === undefined && answers === 'serving') last.until = at;
    }
  }

  /** By member; the latest one is the last. */
  get all(): ReadonlyMap<string, readonly Absence[]> {
    return this.#of;
  }
}
