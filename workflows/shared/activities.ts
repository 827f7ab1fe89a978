import { ActivityCancellationType, type ActivityOptions, proxyActivities } from '@temporalio/workflow';
import type { WebspaceActivities } from '../../libs/contracts/activities.js';
import type { ImageActivities } from '../../libs/contracts/images.js';
import { cut } from './cut.js';

/**
 * Activities heartbeat every second by themselves (activities/shared/guard.ts), so that a dead worker is noticed and a cancellation arrives.
 * The longest of these times bounds how long an activity may act after its workflow is closed: LOCK_GRACE_MS.
 */
const heartbeatTimeout = '6 seconds';
/** An undo must not run beside what it undoes. Not left to the SDK: its documentation says this is the default, its code sends TRY_CANCEL. */
const cancellationType = ActivityCancellationType.WAIT_CANCELLATION_COMPLETED;
const retry = { initialInterval: '200 milliseconds', backoffCoefficient: 2, maximumInterval: '5 seconds' } as const;

/** Activities of one kind under these times; each call has a summary for Temporal UI. */
export function proxiesOf<A>(options: ActivityOptions) {
  return (summary: string) => proxyActivities<A>({ heartbeatTimeout, cancellationType, retry, ...options, summary: cut(summary) });
}

const proxies = proxiesOf<WebspaceActivities>;

/** Reads and small idempotent writes: they fail when the systems stay away, so that the caller gets an answer. */
export const quick = proxies({ startToCloseTimeout: '30 seconds', scheduleToCloseTimeout: '45 seconds' });

/** Waits for LXD: unpacking an image, a clean stop. */
export const slow = proxies({ startToCloseTimeout: '10 minutes', scheduleToCloseTimeout: '15 minutes' });

/** What must come to an end although a system is away for hours: undo, delete, the last look. */
export const lasting = proxies({ startToCloseTimeout: '10 minutes', scheduleToCloseTimeout: '24 hours' });

/** Steps of an import that ask LXD or the source: a source may say when it answers again, at most some hours later. */
export const imageStep = proxiesOf<ImageActivities>({ startToCloseTimeout: '15 minutes', scheduleToCloseTimeout: '6 hours' });

/** What goes on for as long as there are bytes to come, or others to wait for; an attempt goes on where the last one was cut. */
export const imageTransfer = proxiesOf<ImageActivities>({
  startToCloseTimeout: '6 hours',
  scheduleToCloseTimeout: '24 hours',
  retry: { ...retry, maximumInterval: '30 seconds' },
});
