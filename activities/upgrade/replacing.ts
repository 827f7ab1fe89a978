import type { Acting } from '#libs/contracts/activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import type { ObservedCluster } from '#libs/domain/upgrade/observed.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { UpgradeDeps } from './deps.js';

/**
 * Members that are being replaced stand in the Lease that locks the cluster, where creations and boots can see them; each until it serves
 * again.
 */
export async function markReplacing(deps: UpgradeDeps, call: Call, acting: Acting, members: readonly string[]): Promise<void> {
  const since = { [UPGRADE_KEYS.replacingSince]: new Date().toISOString() };
  await change(deps, call, acting, (before) => [...before, ...members], since);
}

/** Of those that are not replaced after all. */
export async function unmarkReplacing(deps: UpgradeDeps, call: Call, acting: Acting, members: readonly string[]): Promise<void> {
  await change(deps, call, acting, (before) => before.filter((name) => !members.includes(name)));
}

/** Takes those out that serve. */
export async function noteReplacing(deps: UpgradeDeps, call: Call, acting: Acting, observed: ObservedCluster): Promise<void> {
  const serves = (name: string) =>
    observed.members.some((member) => {
      const pod = observed.pods.find((one) => one.name === member.pod);
      return member.name === name && member.answers === 'serving' && pod?.deleting === 'no';
    });
  await change(deps, call, acting, (before) => before.filter((name) => !serves(name)));
}

type Change = (before: readonly string[]) => readonly string[];

async function change(
  { locks }: UpgradeDeps,
  call: Call,
  acting: Acting,
  to: Change,
  also: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (;;) {
    const lock = await locks.read(acting.name, call.signal);
    if (lock?.holder?.workflowId !== call.me.workflowId) return;
    const before = replacingOf(lock.lease.metadata.annotations);
    const after = [...new Set(to(before))].sort();
    if (after.join() === before.join()) return;
    try {
      const replacing = { [UPGRADE_KEYS.replacing]: after.length === 0 ? undefined : after.join(',') };
      await locks.annotate(lock, { ...replacing, ...also }, call.signal);
      return;
    } catch (error) {
      // Written by somebody else since it was read.
      if (!isPlatformError(error, 'STALE')) throw error;
    }
  }
}

export function replacingOf(annotations: Readonly<Record<string, string>> | undefined): string[] {
  return (annotations?.[UPGRADE_KEYS.replacing] ?? '').split(',').filter(Boolean).sort();
}
