import type { GateOutcome } from './gates.js';
import type { ObservedPod } from './observed.js';

export function passed(because: string): GateOutcome {
  return { is: 'passed', because };
}

export function waiting(reason: string, progress?: string): GateOutcome {
  return { is: 'waiting', reason, ...(progress === undefined ? {} : { progress }) };
}

export function failed(reason: string, remedy: string): GateOutcome {
  return { is: 'failed', reason, remedy };
}

/** The worst of several: a failure before a wait, each the first in its order; else undefined. */
export function worstOf(outcomes: readonly GateOutcome[]): GateOutcome | undefined {
  return outcomes.find(({ is }) => is === 'failed') ?? outcomes.find(({ is }) => is === 'waiting');
}

/** Troubles that the kubelet goes on trying for ever. */
const HOPELESS: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'ErrImageNeverPull',
  'ImagePullBackOff',
  'InvalidImageName',
  'RunContainerError',
]);

/** What keeps the pod from running for good, as a failure; undefined while there is hope. */
export function podTrouble({ name, trouble, restarts, build }: ObservedPod): GateOutcome | undefined {
  if (trouble === undefined || !HOPELESS.has(trouble.reason)) return undefined;
  const times = restarts === 0 ? '' : `, restarted ${restarts} times`;
  return failed(
    `Pod ${name} does not run ${build.image} (${trouble.reason}: ${trouble.message}${times}).`,
    `Read the log of ${name}; abort brings the old template back and deletes this pod, retry waits once more.`,
  );
}
