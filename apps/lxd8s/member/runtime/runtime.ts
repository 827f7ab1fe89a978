import type { Memory } from '../memory/measure.js';

/** How LXD's process ended. */
export interface LxdEnd {
  readonly code: number | null;
  readonly signal: string | null;
}

/** One run of LXD. */
export interface LxdRun {
  readonly pid: number;
  readonly ended: Promise<LxdEnd>;
  kill(signal: 'SIGTERM' | 'SIGKILL'): void;
}

/** An instance whose processes run, whatever LXD knows of it. */
export interface RunningInstance {
  readonly name: string;
  /** Its first process, where LXD runs. */
  readonly pid: number;
}

/** Where LXD runs. Nothing above it knows whether that is this container or a machine of its own. */
export interface Runtime {
  readonly kind: 'container' | 'vm';
  /** How long an LXD may be silent here after it was started: what it takes to start, which has a time limit of its own. */
  readonly startsWithinMs: number;
  /** Makes the place ready, before the first start. @throws PlatformError that says what the pod lacks; with `details.part` `volume`, of a volume. */
  prepare(signal: AbortSignal): Promise<void>;
  /** Starts LXD; each line it prints is given on. */
  start(onLine: (line: string) => void): LxdRun;
  instances(): Promise<RunningInstance[]>;
  /** Asks an instance to power off, as LXD does, without LXD. */
  powerOff(instance: RunningInstance): void;
  /** Takes a look at the place: LXD's certificates are in its folder here when this returns, and {@link memory} is of now. */
  look(): Promise<void>;
  /** What LXD and its instances may use, and what is left of it. */
  memory(): Memory;
  /** Takes the place away, in order, when LXD has ended; by force at `until`, as of Date.now(). */
  close(until: number): Promise<void>;
}
