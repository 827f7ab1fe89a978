import { failed, passed, podTrouble, waiting } from '../upgrade/gate-outcomes.js';
import { type GateAim, type GateOutcome, readGate } from '../upgrade/gates.js';
import { counted, listed } from '../upgrade/wording.js';
import type { ObservedScale, ScaleGateName } from './observed.js';

/** A gate and the members it looks at. */
export interface ScaleGateCall {
  readonly gate: ScaleGateName;
  readonly members: readonly string[];
}

const NAMES_SHOWN = 5;

/** What the gate says of this observation alone. */
export function readScaleGate({ gate, members }: ScaleGateCall, observed: ObservedScale, stuckSeconds: number): GateOutcome {
  const [member = ''] = members;
  switch (gate) {
    case 'member-joined':
      return memberJoined(observed, member);
    case 'member-empty':
      return memberEmpty(observed, member);
    case 'pod-gone':
      return podGone(observed, member);
    case 'member-removed':
      return memberRemoved(observed, member);
    default:
      return readGate({ gate, members }, observed.cluster, aimOf(observed, stuckSeconds));
  }
}

/** Scaling changes no version and no probe: a member is as the others are. */
function aimOf({ cluster }: ObservedScale, stuckSeconds: number): GateAim {
  const { template } = cluster.statefulSet;
  const versions = cluster.members[0]?.versions ?? { schema: 0, apiExtensions: 0 };
  return { build: template.build, versions, probes: template.probes, nodes: {}, stuckSeconds };
}

/** The pod runs and is ready, and the others have it as a member that serves. */
function memberJoined({ cluster }: ObservedScale, name: string): GateOutcome {
  const pod = cluster.pods.find((one) => one.name === name);
  if (!pod) return waiting(`There is no pod ${name} yet.`);
  const trouble = podTrouble(pod);
  if (trouble) return trouble;
  if (pod.phase !== 'Running') return waiting(`Pod ${name} is ${pod.phase}.`, pod.trouble?.message);
  const member = cluster.members.find((one) => one.name === name);
  if (!member) return waiting(`${name} runs and is no member yet.`, 'what it waits for is in /state of its pod');
  if (member.answers !== 'serving' || member.status !== 'Online') return waiting(`${name} is ${member.status} and ${member.answers}.`);
  return pod.ready === 'yes' ? passed(`${name} has joined and serves.`) : waiting(`Pod ${name} is not ready yet.`);
}

/** Nothing that only it has is lost with it. */
function memberEmpty({ instances, others }: ObservedScale, name: string): GateOutcome {
  const left = [...(instances[name] ?? [])].sort();
  const more = [...(others[name] ?? [])].sort();
  if (left.length + more.length === 0) return passed(`Nothing is on ${name} alone.`);
  const count = left.length > 0 ? [counted(left.length, 'instance')] : [];
  const alone = more.length > 0 ? [`${more.length} that nobody else has`] : [];
  const all = [...left, ...more];
  const shown = listed(all.slice(0, NAMES_SHOWN));
  return waiting(`On ${name}: ${listed([...count, ...alone])}: ${shown}${all.length > NAMES_SHOWN ? ', …' : ''}.`, `${all.length} left`);
}

function podGone({ cluster }: ObservedScale, name: string): GateOutcome {
  const pod = cluster.pods.find((one) => one.name === name);
  if (!pod) return passed(`There is no pod ${name}.`);
  if (pod.deleting === 'yes') return waiting(`Pod ${name} is being stopped.`);
  return waiting(`Pod ${name} is there, with ${counted(cluster.statefulSet.replicas, 'replica')} asked for.`);
}

function memberRemoved(observed: ObservedScale, name: string): GateOutcome {
  const { members } = observed.cluster;
  if (members.length === 0) return failed('LXD lists no member at all.', 'See why the cluster does not answer, then retry.');
  return members.some((member) => member.name === name) ? waiting(`LXD still has ${name}.`) : passed(`${name} is no member any more.`);
}
