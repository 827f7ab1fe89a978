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
  /** Its first process, here. */
  readonly pid: number;
}

/** Where LXD runs. Nothing above it knows whether that is this container or a machine of its own. */
export interface Runtime {
  readonly kind: 'container';
  /** Makes the place ready, once before the first start. @throws PlatformError that says what the pod lacks. */
  prepare(): Promise<void>;
  /** Starts LXD; each line it prints is given on. */
  start(onLine: (line: string) => void): LxdRun;
  instances(): Promise<RunningInstance[]>;
  /** Asks an instance to power off, as LXD does, without LXD. */
  powerOff(instance: RunningInstance): void;
}
