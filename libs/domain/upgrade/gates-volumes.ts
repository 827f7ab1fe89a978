import { failed, passed, waiting, worstOf } from './gate-outcomes.js';
import type { GateAim, GateOutcome } from './gates.js';
import type { ObservedCluster, ObservedReplica, ObservedVolume } from './observed.js';
import { byName, bytesText, counted, listed, secondsText, sortedByName } from './wording.js';

/**
 * The volumes of the members can be used at full speed and lose no copy soon. `robustness: healthy` alone does not say it: Longhorn is
 * healthy as soon as enough replicas are RW, and only then adds the one on the engine's node (longhorn-manager, ReconcileEngineReplicaState).
 */
export function volumesSettled(observed: ObservedCluster, names: readonly string[], { stuckSeconds }: GateAim): GateOutcome {
  if (observed.storage === 'unwatched') return passed('The storage of this cluster is not watched.');
  const states = names.flatMap((name) => {
    const volumes = observed.volumes.filter(({ member }) => member === name).sort((a, b) => byName(a.name, b.name));
    if (volumes.length === 0) return [waiting(`No volume of ${name} is to be seen.`)];
    return volumes.map((volume) => settled(volume, stuckSeconds));
  });
  return worstOf(states) ?? passed(`${counted(states.length, 'volume')} settled: ${listed(names)}.`);
}

function settled(volume: ObservedVolume, stuckSeconds: number): GateOutcome {
  return (
    failureOf(volume) ??
    attachment(volume) ??
    worstOf(replicas(volume, stuckSeconds)) ??
    copies(volume) ??
    locality(volume) ??
    surplus(volume) ??
    passed(volume.name)
  );
}

/** What does not become better by itself. */
function failureOf({ name, member, robustness, schedulingFailure }: ObservedVolume): GateOutcome | undefined {
  if (robustness === 'faulted') {
    return failed(
      `Volume ${name} of ${member} is faulted: it has no usable copy.`,
      'Salvage it in Longhorn or restore it from a backup, then retry.',
    );
  }
  if (!schedulingFailure) return undefined;
  const { reason, message } = schedulingFailure;
  return reason === 'LocalReplicaSchedulingFailure'
    ? failed(
        `There is no place for a copy of volume ${name} on the node of ${member} (${message}).`,
        'Make room on that node, or skip this gate: the volume then stays slow, over the network.',
      )
    : failed(
        `A copy of volume ${name} of ${member} has no place (${reason}: ${message}).`,
        'Make room in Longhorn (disks, cordoned nodes), then retry.',
      );
}

function attachment({ name, member, state, robustness, migratingTo, expanding, engine }: ObservedVolume): GateOutcome | undefined {
  if (migratingTo !== undefined) return waiting(`Volume ${name} of ${member} is being moved to ${migratingTo}.`);
  if (state !== 'attached') return waiting(`Volume ${name} of ${member} is ${state}.`);
  if (engine?.state !== 'running') return waiting(`The engine of volume ${name} of ${member} is ${engine?.state ?? 'not there'}.`);
  if (expanding === 'yes') return waiting(`Volume ${name} of ${member} is being expanded.`);
  return robustness === 'unknown' ? waiting(`Longhorn does not know how volume ${name} of ${member} is.`) : undefined;
}

function replicas(volume: ObservedVolume, stuckSeconds: number): GateOutcome[] {
  return sortedByName(volume.replicas, ({ name }) => name).flatMap((replica) => replicaOutcome(volume, replica, stuckSeconds) ?? []);
}

function replicaOutcome(volume: ObservedVolume, { node, mode, rebuild }: ObservedReplica, stuckSeconds: number): GateOutcome | undefined {
  const which = `the copy of volume ${volume.name} of ${volume.member} on ${node}`;
  if (rebuild?.state === 'error') {
    return failed(
      `Building ${which} failed: ${rebuild.error ?? 'no reason given'}.`,
      'Delete this replica in Longhorn, so that a new one is built, then retry.',
    );
  }
  if (mode === 'ERR') return waiting(`Longhorn has yet to replace ${which}, which is in error.`);
  if (rebuild?.state === 'in_progress') {
    const done = Math.min(100, Math.max(0, rebuild.progressPercent));
    if (rebuild.unchangedSeconds >= stuckSeconds) {
      return failed(
        `Building ${which} has stood still at ${done} % for ${secondsText(rebuild.unchangedSeconds)}.`,
        'Look at the instance managers of both nodes; deleting this replica in Longhorn begins anew; then retry.',
      );
    }
    return waiting(`Waits for ${which} to be built.`, rebuildProgress(volume.sizeBytes, done, rebuild.bytesPerSecond));
  }
  if (mode !== 'WO') return undefined;
  return waiting(
    rebuild
      ? `${capital(which)} is complete and not yet read from (WO).`
      : `${capital(which)} is written only (WO); its building has not begun.`,
  );
}

function rebuildProgress(sizeBytes: number, percent: number, bytesPerSecond: number | undefined): string {
  const doneBytes = (sizeBytes * percent) / 100;
  const part = `${percent} %, ${bytesText(doneBytes)} of ${bytesText(sizeBytes)}`;
  if (!bytesPerSecond) return part;
  return `${part}, ${bytesText(bytesPerSecond)}/s, about ${secondsText(Math.round((sizeBytes - doneBytes) / bytesPerSecond))} left`;
}

function copies({ name, member, robustness, numberOfReplicas, replicas: all }: ObservedVolume): GateOutcome | undefined {
  const good = all.filter(({ mode }) => mode === 'RW').length;
  if (robustness === 'healthy' && good >= numberOfReplicas) return undefined;
  return waiting(`Volume ${name} of ${member} is ${robustness}.`, `${good} of ${numberOfReplicas} copies`);
}

function locality({ name, member, dataLocality, engine, replicas: all }: ObservedVolume): GateOutcome | undefined {
  if (dataLocality === 'disabled' || all.some(({ node, mode }) => node === engine?.node && mode === 'RW')) return undefined;
  return waiting(`Volume ${name} of ${member} has no copy on its own node ${engine?.node} yet, though Longhorn calls it healthy.`);
}

/** Longhorn removes what locality had it add: until then it works on this volume, and a stop may take the copy that was to stay. */
function surplus({ name, member, numberOfReplicas, replicas: all }: ObservedVolume): GateOutcome | undefined {
  const good = all.filter(({ mode }) => mode === 'RW').length;
  if (good <= numberOfReplicas) return undefined;
  return waiting(`Longhorn has yet to remove a surplus copy of volume ${name} of ${member}.`, `${good} copies, ${numberOfReplicas} wanted`);
}

function capital(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}`;
}
