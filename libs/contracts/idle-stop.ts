/** Who asks for the shutdown of a webspace that nobody uses. */
export const IDLE_STOP = 'idle-stop';

/** A webspace that nobody has used for long. */
export interface IdleWebspace {
  readonly name: string;
  /** Account id. */
  readonly owner: string;
  readonly idleSeconds: number;
}

/** What a look at all webspaces found. */
export interface IdleLook {
  /** That run and may be stopped. */
  readonly running: number;
  /** That were used since the look before. */
  readonly used: number;
  /** Whose state could not be read: they are left alone. */
  readonly unread: number;
  readonly idle: readonly IdleWebspace[];
}

/** Outcome of a round of `idleStop`. */
export interface IdleStopResult extends Omit<IdleLook, 'idle'> {
  readonly stopped: number;
}
