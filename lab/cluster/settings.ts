import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Profile } from '../profile.js';
import { BUMP, CLUSTER, FAILS_AS_MEMBER } from './manifests.js';

/** What the worker's configuration says of the lab's cluster; see `clusters` there. */
export type ClusterSettings = Readonly<Record<string, unknown>>;

/** What people call it in the API. */
export const CLUSTER_NAME = 'lab';

/** As measured on a machine of two processors with nothing beside it, most of them by `npm run bench -- upgrade`: nodes are processes of one machine here. */
const TIMINGS = {
  stopSeconds: 2.6,
  createSeconds: 1.3,
  startSeconds: 1.3,
  alignSeconds: 2.8,
  instancesSeconds: 4,
  electionSeconds: 2,
  evacuateSeconds: 10,
  betweenSeconds: 0,
  togetherSeconds: 6.9,
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
