import type { GateAim, GateCall, GateOutcome } from '#libs/domain/upgrade/gates.js';
import { podStarts, withoutVote } from '#libs/domain/upgrade/gates-cluster.js';
import { settleAll } from '../shared/settle-all.js';
import type { Cluster } from './deps.js';
import { observedPod } from './objects.js';

/**
 * Why `member-recorded` cannot pass yet, asked of these members' pods and of them alone: while one LXD starts, the others shall not be asked
 * again and again, since they may work on the same processors. Undefined when it may pass, has failed, or is another gate: then all is to be looked at.
 */
export async function stillStarting(
  { kube, lxd, config, remembered }: Cluster,
  { gate, members }: GateCall,
  aim: Pick<GateAim, 'build'>,
  signal: AbortSignal,
): Promise<GateOutcome | undefined> {
  if (gate !== 'member-recorded') return undefined;
  const known = await remembered.members(signal);
  const found = await settleAll(
    members.map(async (name): Promise<GateOutcome | undefined> => {
      const { pod, address } = known?.members.find((member) => member.name === name) ?? {};
      if (pod === undefined || address === undefined) return undefined;
      const object = await kube.find('wholePod', pod, { signal });
      const starts = podStarts(name, object && observedPod(object, config), aim);
      if (starts || !object) return starts;
      const votes = await lxd.votes({ name: pod, uid: object.metadata.uid }, address, { signal });
      return votes === 'no' ? withoutVote(name) : undefined;
    }),
  );
  return found.some((outcome) => outcome?.is === 'failed') ? undefined : found.find((outcome) => outcome !== undefined);
}
