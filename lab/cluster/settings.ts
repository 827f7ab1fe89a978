import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Profile } from '../profile.js';
import { BUMP, CLUSTER, FAILS_AS_MEMBER } from './manifests.js';

/** What the worker's configuration says of the lab's cluster; see `clusters` there. */
export type ClusterSettings = Readonly<Record<string, unknown>>;

/** What people call it in the API. */
export const CLUSTER_NAME = 'lab';

/** Times of a cluster whose nodes are processes of one machine of two processors, with little beside it: so that a plan foretells what happens. */
const TIMINGS = {
  stopSeconds: 1.1,
  createSeconds: 0.6,
  startSeconds: 0.6,
  alignSeconds: 0.1,
  instancesSeconds: 2,
  electionSeconds: 2,
  evacuateSeconds: 10,
  betweenSeconds: 0,
  togetherSeconds: 7,
};

function usual(): ClusterSettings {
  const { namespace, statefulSet, container } = CLUSTER;
  return {
    name: CLUSTER_NAME,
    namespace,
    statefulSet,
    container,
    environment: [BUMP, FAILS_AS_MEMBER],
    probes: 'lease',
    timings: TIMINGS,
    settleSeconds: 2,
    pollSeconds: 0.25,
  };
}

/** For the worker's next start; those that are not given are the usual ones of the lab. */
export function writeClusterSettings(profile: Profile, settings: ClusterSettings): void {
  const file = fileOf(profile);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${JSON.stringify([{ ...usual(), ...settings }], null, 2)}\n`);
}

/** A part of the worker's configuration; empty in a lab without nodes. */
export function clusterSettings(profile: Profile): object {
  const file = fileOf(profile);
  if (!existsSync(file)) return {};
  return { clusters: JSON.parse(readFileSync(file, 'utf8')) as object[], clusterCopiesFolder: join(profile.paths.cluster, 'copies') };
}

function fileOf({ paths }: Profile): string {
  return join(paths.cluster, 'settings.json');
}
