import type { ObservedMember } from './observed.js';

/** Votes in dqlite. A member that waits for other versions still votes: only its API is closed. */
export interface Quorum {
  readonly voters: number;
  readonly online: number;
  readonly majority: number;
}

export function quorumOf(members: readonly ObservedMember[], without: readonly string[] = []): Quorum {
  const voters = members.filter(({ database }) => database === 'voter');
  const online = voters.filter(({ name, status, answers }) => !without.includes(name) && status !== 'Offline' && answers !== 'silent');
  return { voters: voters.length, online: online.length, majority: Math.floor(voters.length / 2) + 1 };
}

export function hasMajority(members: readonly ObservedMember[]): boolean {
  const { online, majority } = quorumOf(members);
  return online >= majority;
}

export function quorumText({ voters, online, majority }: Quorum): string {
  return `${online} of ${voters} voters online, ${majority} needed`;
}
