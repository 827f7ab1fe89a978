import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import type { Acting } from '#libs/contracts/activities.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { UpgradeInput } from '#libs/contracts/upgrades.js';
import type { TargetImage } from '#libs/domain/upgrade/observed.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import { parseMetadata } from '#libs/lxd/answer.js';
import { redact } from '#libs/lxd/error-reasons.js';
import { server } from '#libs/lxd/schemas.js';
import { timeLimit } from '#libs/net/time-limit.js';
import type { Call } from '../shared/guard.js';
import { inLanes } from '../shared/in-lanes.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { buildOf, labelSelectorOf, lxdContainer, parsePod, parseStatefulSet, troubleOf } from './objects.js';
import { alignmentOf } from './read-members.js';
import { ensurePod, probePod, probePodName, pullPod, removePod } from './throw-away.js';

const POLL_MS = 500;
const UP_SECONDS = 600;
const LOG_LINES = 15;
/** What it would record as a member, and the others compare: `api_extensions` of the server leaves out what is claimed artificially. */
const VERSIONS = 'SELECT schema, api_extensions FROM nodes';
const versionRows = z.object({ Results: z.array(z.object({ rows: z.array(z.tuple([z.number(), z.number()])) })).min(1) });
/** What the kubelet goes on trying, and what somebody has to mend first. */
const HOPELESS: ReadonlySet<string> = new Set([
  'CrashLoopBackOff',
  'CreateContainerConfigError',
  'CreateContainerError',
  'ErrImageNeverPull',
  'Failed',
  'ImagePullBackOff',
  'InvalidImageName',
  'RunContainerError',
]);

/** Versions are read from LXD itself, which has no other way to tell them: an instance of the image that is thrown away afterwards. */
export function probeTargetSteps({ clusters }: UpgradeDeps) {
  return {
    async pullImages(call: Call, { operationId }: Acting, { cluster: name, image }: UpgradeInput): Promise<void> {
      const cluster = clusters.get(name);
      const template = await templateOf(cluster, call.signal);
      const nodes = await nodesOf(cluster, template, call.signal);
      await inLanes(nodes, 8, (node) => ensurePod(cluster, pullPod(cluster, template, { operationId, image, node }), call.signal));
    },

    async probeTargetVersion(call: Call, { operationId }: Acting, input: UpgradeInput): Promise<TargetImage> {
      const cluster = clusters.get(input.cluster);
      const { config } = cluster;
      const template = await templateOf(cluster, call.signal);
      const found = lxdContainer(parseStatefulSet(template).spec.template.spec, config);
      const build = { image: input.image, environment: { ...buildOf(found, config).environment, ...input.environment } };
      const [node] = await nodesOf(cluster, template, call.signal);
      const name = probePodName(cluster, operationId);
      try {
        await ensurePod(cluster, probePod(cluster, template, { operationId, build, node }), call.signal);
        return await versionsOf(cluster, name, call);
      } finally {
        await removed(cluster, name);
      }
    },
  };

  async function templateOf({ kube, config }: Cluster, signal: AbortSignal): Promise<StoredObject> {
    return kube.get('statefulSet', config.statefulSet, { signal });
  }
}

/** Where the members are. */
async function nodesOf({ kube, config }: Cluster, template: StoredObject, signal: AbortSignal): Promise<string[]> {
  const pods = await kube.list('wholePod', { signal, labelSelector: labelSelectorOf(template) });
  const ours = pods.filter(({ metadata }) => metadata.name.startsWith(`${config.statefulSet}-`));
  return [...new Set(ours.flatMap((pod) => parsePod(pod).spec.nodeName ?? []))].sort();
}

/** Without the signal: it must go also when the operation was cancelled. A pod that stays for all that goes with the upgrade, or by the sweep. */
async function removed(cluster: Cluster, name: string): Promise<void> {
  const signal = timeLimit(10_000);
  try {
    const pod = await cluster.kube.find('wholePod', name, { signal });
    if (pod) await removePod(cluster, pod, signal);
  } catch (error) {
    if (!isPlatformError(error) && !signal.aborted) throw error;
  }
}

async function versionsOf(cluster: Cluster, name: string, call: Call): Promise<TargetImage> {
  const { signal } = call;
  const deadline = Date.now() + UP_SECONDS * 1000;
  for (let why = 'it was not asked yet'; ; ) {
    const pod = parsePod(await cluster.kube.get('wholePod', name, { signal }));
    const [state] = pod.status.containerStatuses;
    const trouble = troubleOf(pod);
    if (state?.state.terminated || (trouble && HOPELESS.has(trouble.reason))) throw await notUp(cluster, name, pod, signal);
    if (state?.state.running) {
      try {
        return await askVersions(cluster, name, digestOf(state.imageID), signal);
      } catch (error) {
        if (!isPlatformError(error, 'UNAVAILABLE') && !isPlatformError(error, 'NOT_FOUND')) throw error;
        why = error.message;
      }
    } else if (trouble) why = `${trouble.reason}: ${trouble.message}`;
    if (Date.now() >= deadline) throw new PlatformError('OPERATION_FAILED', `LXD did not come up in ${name} in time: ${why}`);
    call.waiting({ waitingFor: `LXD in ${name}: ${why}`, deadline: new Date(deadline).toISOString() });
    await pause(POLL_MS, undefined, { signal });
  }
}

async function askVersions({ lxd, config }: Cluster, pod: string, digest: string, signal: AbortSignal): Promise<TargetImage> {
  const [own, table] = await lxd.ask(
    pod,
    [{ path: '/1.0' }, { method: 'POST', path: '/internal/sql', body: { database: 'global', query: VERSIONS } }],
    { signal },
  );
  const { environment } = parseMetadata(own, server, `read the server in ${pod}`);
  const [recorded] = parseMetadata(table, versionRows, `read table nodes in ${pod}`).Results[0]?.rows ?? [];
  if (!recorded) throw new PlatformError('PROTOCOL', `LXD in ${pod} has recorded no versions.`);
  const [schema, apiExtensions] = recorded;
  return {
    versions: { schema, apiExtensions },
    serverVersion: environment.server_version,
    digest,
    architectures: environment.architectures,
    alignment: config.alignment ?? alignmentOf(environment.server_version),
  };
}

async function notUp(
  { kube, config }: Cluster,
  name: string,
  pod: ReturnType<typeof parsePod>,
  signal: AbortSignal,
): Promise<PlatformError> {
  const [state] = pod.status.containerStatuses;
  const ended = state?.state.terminated;
  const trouble = troubleOf(pod);
  const image = pod.spec.containers[0]?.image;
  const why = ended ? `exit code ${ended.exitCode}${ended.reason ? ` (${ended.reason})` : ''}` : `${trouble?.reason}: ${trouble?.message}`;
  const log = ended ? await lastLines() : '';
  return new PlatformError('OPERATION_FAILED', `LXD does not come up in ${image}: ${why}.${log}`, { details: { reason: 'image' } });

  async function lastLines(): Promise<string> {
    try {
      const text = await kube.logTail(name, { container: config.container, lines: LOG_LINES, of: 'this-run' }, { signal });
      return text.trim() === '' ? ' It wrote no log.' : ` Its last lines: ${redact(text.trim())}`;
    } catch (error) {
      if (!isPlatformError(error)) throw error;
      return ` Its log cannot be read: ${error.message}`;
    }
  }
}

function digestOf(imageID: string): string {
  return /sha256:[0-9a-f]{64}/.exec(imageID)?.[0] ?? imageID;
}
