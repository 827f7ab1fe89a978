import 'reflect-metadata';
import { setTimeout as pause } from 'node:timers/promises';
import { activityInfo, Context } from '@temporalio/activity';
import type { Activities } from '#apps/worker/assemble.js';
import { runWorker } from '#apps/worker/run-worker.js';
import { loadConfig } from '#libs/config/load.js';
import { workerConfigSchema } from '#libs/config/worker.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';
import { createLogger } from '#libs/logging/logger.js';
import { HeldActivities } from './held-activities.js';

// The worker as it ships, in which every activity of an upgrade waits before it begins until the test lets it go.
const { WEBSPACES_HELD: folder, ...env } = process.env;
if (!folder) throw new Error('WEBSPACES_HELD must name a folder.');
const activitiesHeld = new HeldActivities(folder);

const HEARTBEAT_MS = 500;
const LOOK_MS = 20;
/** Runs beside the steps of an upgrade, and is none. */
const BESIDE = 'holdProbeLease';
type Run = (...args: unknown[]) => Promise<unknown>;

const holding =
  (activity: string, run: Run): Run =>
  async (...args) => {
    const { workflowType, workflowExecution, activityId } = activityInfo();
    if (workflowType !== WORKFLOW_TYPES.upgrade || activity === BESIDE) return run(...args);
    const one = { key: encodeURIComponent(`${workflowExecution?.workflowId} ${activityId}`), activity };
    const context = Context.current();
    const beat = setInterval(() => context.heartbeat({ waitingFor: 'the test' }), HEARTBEAT_MS);
    try {
      if (!activitiesHeld.isReleased(one)) activitiesHeld.arrive(one);
      while (!activitiesHeld.isReleased(one)) await pause(LOOK_MS, undefined, { signal: context.cancellationSignal });
    } finally {
      clearInterval(beat);
    }
    return run(...args);
  };

function decorate(activities: Activities): Activities {
  const held = Object.entries(activities).map(([name, run]) => [name, holding(name, run as Run)]);
  return Object.fromEntries(held) as Activities;
}

const config = loadConfig({ name: 'worker', schema: workerConfigSchema, argv: process.argv.slice(2), env });
await runWorker(config, createLogger({ name: 'worker', level: config.log.level }), decorate);
process.exit(0);
