import type { MayTake } from '../kubernetes/claims.js';
import type { Installation } from './installation.js';

/** A claim that another uid of our own name left behind may be taken: the caller holds the lock, and that uid lives nowhere. */
export function leftBehind(name: string, lives: () => Promise<boolean>, installation: Installation, signal: AbortSignal): MayTake {
  return async ({ spec }) => spec.webspace === name && !(await lives()) && (await installation.isPinnedLxd(signal));
}
