import type { ObservedVolume } from '../observed.js';

/** How a volume's copy on the engine's own node is built, if it has to be. */
export interface RebuildFault {
  readonly bytesPerSecond: number;
  /** The progress at which it stands still until it is mended. */
  readonly stuckAtPercent?: number;
}

export interface SimulatedVolume {
  readonly member: string;
  readonly home: string;
  readonly sizeBytes: number;
  engineNode?: string;
  /** The copy on the engine's node while it is being built. */
  building?: { readonly fault: RebuildFault; startedAt: number; mendedAt?: number };
  readonly copies: Set<string>;
}

const OTHER_COPY = 'node-far';

export function newVolume(member: string, home: string, sizeBytes: number): SimulatedVolume {
  return { member, home, sizeBytes, engineNode: home, copies: new Set([home, OTHER_COPY]) };
}

/** Follows the pod: engine where it runs, none while it is away; a copy is built where the engine has none (best-effort locality). */
export function followPod(
  volume: SimulatedVolume,
  { node, now, fault }: { readonly node: string | undefined; readonly now: number; readonly fault: RebuildFault | undefined },
): void {
  if (node === undefined) {
    delete volume.engineNode;
    return;
  }
  if (volume.engineNode !== node) {
    volume.engineNode = node;
    const lost = fault !== undefined && node === volume.home && volume.building === undefined;
    if (lost) volume.copies.delete(node);
    if (fault && !volume.copies.has(node)) volume.building = { fault, startedAt: now };
  }
  if (!volume.building || progressOf(volume, now) < 100) return;
  delete volume.building;
  volume.copies.add(node);
  const surplus = [...volume.copies].find((copy) => copy !== node && copy !== OTHER_COPY);
  if (surplus !== undefined && volume.copies.size > 2) volume.copies.delete(surplus);
}

function progressOf({ building, sizeBytes }: SimulatedVolume, now: number): number {
  if (!building) return 100;
  const { fault, startedAt, mendedAt } = building;
  const free = Math.floor(((now - (mendedAt ?? startedAt)) * fault.bytesPerSecond * 100) / sizeBytes);
  return mendedAt === undefined && fault.stuckAtPercent !== undefined ? Math.min(free, fault.stuckAtPercent) : Math.min(free, 100);
}

function unchangedSeconds({ building, sizeBytes }: SimulatedVolume, now: number): number {
  if (!building || building.mendedAt !== undefined || building.fault.stuckAtPercent === undefined) return 0;
  const stoppedAt = building.startedAt + (building.fault.stuckAtPercent * sizeBytes) / 100 / building.fault.bytesPerSecond;
  return Math.max(0, Math.floor(now - stoppedAt));
}

/** As Longhorn shows it: healthy with two RW copies, wherever they are. */
export function volumeAt(volume: SimulatedVolume, now: number): ObservedVolume {
  const { member, engineNode, building, copies, sizeBytes } = volume;
  const rw = [...copies].map((node) => ({ name: `${member}-r-${node}`, node, mode: 'RW' as const }));
  const rebuild = {
    state: 'in_progress' as const,
    progressPercent: progressOf(volume, now),
    unchangedSeconds: unchangedSeconds(volume, now),
    ...(building ? { bytesPerSecond: building.fault.bytesPerSecond } : {}),
  };
  const wo = building && engineNode ? [{ name: `${member}-r-${engineNode}-new`, node: engineNode, mode: 'WO' as const, rebuild }] : [];
  return {
    name: `pvc-${member}`,
    member,
    state: engineNode ? 'attached' : 'detached',
    robustness: engineNode === undefined ? 'unknown' : copies.size >= 2 ? 'healthy' : 'degraded',
    dataLocality: 'best-effort',
    numberOfReplicas: 2,
    sizeBytes,
    expanding: 'no',
    ...(engineNode ? { engine: { node: engineNode, state: 'running' } } : {}),
    replicas: [...rw, ...wo],
  };
}
