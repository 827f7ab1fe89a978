import type { WorkerConfig } from '#libs/config/worker.js';
import {
  ACCOUNTS_SCHEDULE_ID,
  IDLE_STOP_SCHEDULE_ID,
  IMAGE_SOURCES_SCHEDULE_ID,
  MEMORY_STOP_SCHEDULE_ID,
  SWEEP_CLUSTERS_SCHEDULE_ID,
  SWEEP_SCHEDULE_ID,
  VERIFY_DOMAINS_SCHEDULE_ID,
} from '#libs/contracts/ids.js';
import { WORKFLOW_TYPES } from '#libs/contracts/operations.js';

/** A workflow that Temporal starts from time to time; one that still runs is not started again. */
export interface Scheduled {
  readonly id: string;
  readonly workflowType: string;
  /** undefined: not at all. */
  readonly everySeconds: number | undefined;
  readonly summary: string;
}

export function schedulesOf({ sweep, domains, accounts, idleStop, memoryStop, images, clusters }: WorkerConfig): Scheduled[] {
  return [
    {
      id: SWEEP_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.sweep,
      everySeconds: sweep.intervalSeconds,
      summary: 'sweep: all of LXD against all of Kubernetes',
    },
    {
      id: VERIFY_DOMAINS_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.verifyDomains,
      everySeconds: domains.verifyEverySeconds,
      summary: 'the proof of every custom domain, asked of DNS',
    },
    {
      id: ACCOUNTS_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.accountPolicy,
      everySeconds: accounts.enabled ? accounts.intervalSeconds : undefined,
      summary: 'all accounts against their webspaces',
    },
    {
      id: IDLE_STOP_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.idleStop,
      everySeconds: idleStop.enabled || memoryStop.enabled ? idleStop.everySeconds : undefined,
      summary: 'webspaces that nobody uses',
    },
    {
      id: MEMORY_STOP_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.memoryStop,
      everySeconds: memoryStop.enabled ? memoryStop.everySeconds : undefined,
      summary: 'members whose memory is short',
    },
    {
      id: IMAGE_SOURCES_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.watchImageSources,
      everySeconds: images.sources.length > 0 || images.prune.unusedDays > 0 ? images.everySeconds : undefined,
      summary: 'new versions of images, and cached ones that nobody uses',
    },
    {
      id: SWEEP_CLUSTERS_SCHEDULE_ID,
      workflowType: WORKFLOW_TYPES.sweepClusters,
      everySeconds: clusters.length > 0 ? sweep.intervalSeconds : undefined,
      summary: 'what upgrades have left on clusters of LXD members',
    },
  ];
}
