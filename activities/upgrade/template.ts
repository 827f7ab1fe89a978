import type { Acting } from '#libs/contracts/activities.js';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import type { OfPlan, TemplateChange } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_KEYS } from '#libs/contracts/upgrades.js';
import { FIELD_MANAGER } from '#libs/contracts/webspaces-api.js';
import type { UpgradeAction } from '#libs/domain/upgrade/actions.js';
import { PROBE_KINDS, type ProbeKind, type UpdateStrategy } from '#libs/domain/upgrade/observed.js';
import { listed, sameBuild } from '#libs/domain/upgrade/wording.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import { type Cluster, type UpgradeDeps } from './deps.js';
import { buildOf, type Container, lxdContainer, observedStatefulSet, parseStatefulSet, probesOf } from './objects.js';
import { probeField, wantedProbes } from './prepare.js';

export function templateSteps({ clusters, locks }: UpgradeDeps) {
  return {
    /**
     * First what an apply cannot do – OnDelete in place of a partition, fields of others taken away – then our fields. From the first write on
     * nothing is replaced by itself, and a second run does what the first did not come to.
     */
    async patchTemplate(call: Call, acting: Acting, { cluster: name }: OfPlan, change: TemplateChange): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      const cluster = clusters.get(name);
      const { config, kube } = cluster;
      const before = await kube.get('statefulSet', config.statefulSet, { signal: call.signal });
      await writeTemplate(cluster, before, change, call.signal);
    },

    async setUpdateStrategy(
      call: Call,
      acting: Acting,
      { cluster: name }: OfPlan,
      { updateStrategy }: Extract<UpgradeAction, { do: 'set-update-strategy' }>,
    ): Promise<void> {
      await locks.assertHeld(acting, call.me, call.signal);
      await setStrategy(clusters.get(name), updateStrategy, call.signal);
    },
  };
}

export async function setStrategy({ config, kube }: Cluster, updateStrategy: UpdateStrategy, signal: AbortSignal): Promise<void> {
  const { metadata } = await kube.get('statefulSet', config.statefulSet, { signal });
  const spec = { updateStrategy: strategyFields(updateStrategy) };
  await kube.merge('statefulSet', config.statefulSet, { metadata: { uid: metadata.uid }, spec }, { signal });
}

/** Before a pull request changes the template: nothing is replaced by its merge, and probes that it takes out are written down. */
export async function prepareForMerge({ config, kube }: Cluster, { probes }: TemplateChange, signal: AbortSignal): Promise<void> {
  const object = await kube.get('statefulSet', config.statefulSet, { signal });
  const found = lxdContainer(parseStatefulSet(object).spec.template.spec, config);
  const spec = { updateStrategy: strategyFields({ type: 'OnDelete' }) };
  const { uid, annotations } = object.metadata;
  await kube.merge('statefulSet', config.statefulSet, { metadata: { uid, ...writtenDown(found, annotations, probes) }, spec }, { signal });
}

/** What was written down of probes is forgotten once the template has them: who takes them out after that has meant it. */
export async function forgetProbes(cluster: Cluster, object: StoredObject, signal: AbortSignal): Promise<void> {
  if (object.metadata.annotations?.[UPGRADE_KEYS.probes] === undefined || missingProbes(cluster, object).length > 0) return;
  const metadata = { uid: object.metadata.uid, annotations: { [UPGRADE_KEYS.probes]: null } };
  await cluster.kube.merge('statefulSet', cluster.config.statefulSet, { metadata }, { signal });
}

/**
 * See `patchTemplate`; nothing is written when the StatefulSet is not the one that was read (STALE).
 */
export async function writeTemplate(cluster: Cluster, before: StoredObject, change: TemplateChange, signal: AbortSignal): Promise<void> {
  const { config, kube } = cluster;
  let now = before;
  if (!isAsWanted(cluster, before, change)) {
    const taken = await kube.merge('statefulSet', config.statefulSet, takeAway(cluster, before, change), { signal });
    const { uid } = taken.metadata;
    const fields = ours(cluster, before, change);
    now = await kube.apply('statefulSet', { metadata: { name: config.statefulSet, uid }, ...fields }, { signal });
    if (!isAsWanted(cluster, now, change)) {
      throw new PlatformError('UNAVAILABLE', `StatefulSet ${config.statefulSet} is not as it was written: somebody else writes it, too.`);
    }
  }
  await forgetProbes(cluster, now, signal);
}

/** Those that an upgrade took out of the template and wrote down. */
export function missingProbes({ config }: Cluster, object: StoredObject): ProbeKind[] {
  const found = lxdContainer(parseStatefulSet(object).spec.template.spec, config);
  const wanted = wantedProbes(found, object.metadata.annotations);
  const present = probesOf(found);
  return PROBE_KINDS.filter((kind) => wanted[kind] !== undefined && !present.includes(kind));
}

function isAsWanted({ config }: Cluster, object: StoredObject, { build, probes }: TemplateChange): boolean {
  const { template, updateStrategy } = observedStatefulSet(object, config);
  const same = probes.length === template.probes.length && probes.every((kind) => template.probes.includes(kind));
  return same && updateStrategy.type === 'OnDelete' && sameBuild(template.build, build);
}

function strategyFields(updateStrategy: UpdateStrategy): Record<string, unknown> {
  return updateStrategy.type === 'OnDelete'
    ? { type: 'OnDelete', rollingUpdate: null }
    : { type: 'RollingUpdate', rollingUpdate: { partition: updateStrategy.partition } };
}

function writtenDown(found: Container, annotations: StoredObject['metadata']['annotations'], probes: readonly ProbeKind[]) {
  if (probesOf(found).every((kind) => probes.includes(kind))) return {};
  return { annotations: { [UPGRADE_KEYS.probes]: JSON.stringify(wantedProbes(found, annotations)) } };
}

/** A merge patch, since null takes a field away whoever owns it. Probes are written down before they go. */
function takeAway({ config }: Cluster, object: StoredObject, { build, probes }: TemplateChange): Record<string, unknown> {
  const found = lxdContainer(parseStatefulSet(object).spec.template.spec, config);
  const { uid, resourceVersion, annotations } = object.metadata;
  const gone = probesOf(found).filter((kind) => !probes.includes(kind));
  const kept = writtenDown(found, annotations, probes);
  const variables = Object.keys(buildOf(found, config).environment).filter((name) => !(name in build.environment));
  const container = {
    name: config.container,
    ...Object.fromEntries(gone.map((kind) => [probeField(kind), null])),
    ...(variables.length === 0 ? {} : { env: variables.map((name) => ({ name, $patch: 'delete' })) }),
  };
  return {
    metadata: { uid, resourceVersion, ...kept },
    spec: { updateStrategy: strategyFields({ type: 'OnDelete' }), template: { spec: { containers: [container] } } },
  };
}

/** What is ours: image, variables that count, probes that are to be there, OnDelete. */
function ours({ config }: Cluster, object: StoredObject, { build, probes }: TemplateChange): Record<string, unknown> {
  const found = lxdContainer(parseStatefulSet(object).spec.template.spec, config);
  const container = {
    name: config.container,
    image: build.image,
    env: Object.entries(build.environment).map(([name, value]) => ({ name, value })),
    ...probeFields(found, object, probes),
  };
  return { spec: { updateStrategy: { type: 'OnDelete' }, template: { spec: { containers: [container] } } } };
}

function probeFields(found: Container, { metadata }: StoredObject, probes: TemplateChange['probes']): Record<string, unknown> {
  const wanted = wantedProbes(found, metadata.annotations);
  const unknown = probes.filter((kind) => wanted[kind] === undefined);
  if (unknown.length > 0) {
    throw new PlatformError(
      'CONFLICT',
      `Nothing says how the ${listed(unknown)} probe of ${metadata.name} is: its template has none, nor has annotation ${UPGRADE_KEYS.probes}.`,
    );
  }
  // Those of the template that were there all the time stay with their owner. What an earlier apply of ours gave has to come along, or it goes.
  const present = probesOf(found);
  const owned = appliedFields(metadata, found.name);
  const given = PROBE_KINDS.filter((kind) => probes.includes(kind) && (!present.includes(kind) || owned.has(probeField(kind))));
  return Object.fromEntries(given.map((kind) => [probeField(kind), wanted[kind]]));
}

/** Fields of a container of the template that are ours by an apply. */
function appliedFields({ managedFields = [] }: StoredObject['metadata'], container: string): ReadonlySet<string> {
  const ours = managedFields.filter(({ manager, operation }) => manager === FIELD_MANAGER && operation === 'Apply');
  const path = ['f:spec', 'f:template', 'f:spec', 'f:containers', `k:${JSON.stringify({ name: container })}`];
  const fieldsOf = (fields: unknown) =>
    path.reduce<unknown>((inner, key) => (inner as Readonly<Record<string, unknown>> | undefined)?.[key], fields) ?? {};
  return new Set(ours.flatMap(({ fieldsV1 }) => Object.keys(fieldsOf(fieldsV1)).map((key) => key.replace(/^f:/, ''))));
}
