/** What a test sets on a Volume to have something go wrong with it; taken away, the volume goes on from there. */
export const FAULT_ANNOTATION = 'simulator.webspaces.ie/fault';

export const FAULTS = [
  /** A copy that is not local fails. */
  'degraded',
  /** All copies fail, and the volume is detached. */
  'faulted',
  /** The volume is detached though its pod is there. */
  'detached',
  /** A live migration to another node is under way. */
  'migrating',
  /** A rebuild stands still at 99 %. */
  'stuck',
  /** A rebuild ends with an error, and the replica leaves the engine with the condition RebuildFailed. */
  'rebuild-error',
  /** The progress of a rebuild is said as Longhorn before 1.12 could: up to 118. */
  'over-100',
  /** A rebuild is complete, and its replica stays WO. */
  'complete-but-wo',
  /** There is no space for a local replica. */
  'no-local-space',
] as const;
export type Fault = (typeof FAULTS)[number];

export function faultIn(annotations: Readonly<Record<string, string>> | undefined): Fault | undefined {
  const value = annotations?.[FAULT_ANNOTATION];
  return FAULTS.find((fault) => fault === value);
}
