import type { UpgradeActivities } from '../../libs/contracts/upgrade-activities.js';
import { proxiesOf } from '../shared/activities.js';

/** Reads and writes that end in minutes even when a system is away for a while. */
export const upgradeStep = proxiesOf<UpgradeActivities>({ startToCloseTimeout: '15 minutes', scheduleToCloseTimeout: '30 minutes' });

/** What works on as many bytes or instances as there are. */
export const longUpgradeStep = proxiesOf<UpgradeActivities>({ startToCloseTimeout: '2 hours', scheduleToCloseTimeout: '6 hours' });

const GRACE_MS = 600_000;

/** Waits that have a deadline of their own, and some time for a last answer. */
export function watching(deadlineMs: number) {
  return proxiesOf<UpgradeActivities>({ startToCloseTimeout: deadlineMs + GRACE_MS, scheduleToCloseTimeout: deadlineMs + GRACE_MS });
}
