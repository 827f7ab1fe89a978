import type { ScaleActivities } from '../../libs/contracts/scalings.js';
import { proxiesOf } from '../shared/activities.js';

/** Reads and writes that end in minutes even when a system is away for a while. */
export const scaleStep = proxiesOf<ScaleActivities>({ startToCloseTimeout: '15 minutes', scheduleToCloseTimeout: '30 minutes' });

const GRACE_MS = 600_000;

/** Waits that have a deadline of their own, and some time for a last answer. */
export function watchingScale(deadlineMs: number) {
  return proxiesOf<ScaleActivities>({ startToCloseTimeout: deadlineMs + GRACE_MS, scheduleToCloseTimeout: deadlineMs + GRACE_MS });
}
