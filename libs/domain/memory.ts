/**
 * By this a member says in LXD's configuration that its memory is short: `user.webspaces.memory.<member>`, with the time it said so. LXD's own
 * numbers are the machine's, and know no limit of a pod.
 */
const PREFIX = 'user.webspaces.memory.';

export const memoryKeyOf = (member: string): string => `${PREFIX}${member}`;

/** So often a member looks at least: `memoryStop` waits for two looks after a stop, since what is over has been taken back by then. */
export const MEMORY_LOOK_SECONDS = 5;
/** A member says it again so often while it is so. */
export const MEMORY_AGAIN_SECONDS = 60;
/** What was not said again for so long is the word of a member that is gone. */
const OLD_SECONDS = 3 * MEMORY_AGAIN_SECONDS;

/** Members whose memory is short now, by LXD's configuration. */
export function membersShortOfMemory(config: Readonly<Record<string, unknown>>, now: number): string[] {
  return Object.entries(config)
    .filter(([key, value]) => key.startsWith(PREFIX) && now - Date.parse(String(value)) <= OLD_SECONDS * 1000)
    .map(([key]) => key.slice(PREFIX.length))
    .sort();
}

/** A running webspace of a member whose memory is short. */
export interface Candidate {
  readonly name: string;
  /** When it was last seen in use, or was started; epoch milliseconds. */
  readonly usedAt: number;
  /** Whether somebody has a terminal, a command or a console open in it. */
  readonly attended: boolean;
  readonly spared: boolean;
}

/** Which one is stopped: one that nobody is in before one that somebody is, then the one that was not used for the longest time. One alone: then it is looked again. */
export function leastUsed<T extends Candidate>(candidates: readonly T[]): T | undefined {
  const rank = ({ attended, usedAt }: T) => (attended ? Number.MAX_SAFE_INTEGER : usedAt);
  return [...candidates]
    .filter(({ spared }) => !spared)
    .sort((a, b) => rank(a) - rank(b) || a.usedAt - b.usedAt || (a.name < b.name ? -1 : 1))[0];
}
