import type { Acting } from '#libs/contracts/activities.js';
import type { PreparedUpgrade } from '#libs/contracts/upgrade-activities.js';
import { UPGRADE_KEYS, type UpgradeInput } from '#libs/contracts/upgrades.js';
import { PROBE_KINDS, type ProbeKind } from '#libs/domain/upgrade/observed.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Call } from '../shared/guard.js';
import type { Cluster, UpgradeDeps } from './deps.js';
import { buildOf, type Container, lxdContainer, parseStatefulSet, probesOf } from './objects.js';

const PROBE_FIELDS = { liveness: 'livenessProbe', readiness: 'readinessProbe', startup: 'startupProbe' } as const;
/** Definitions by kind. */
export type Probes = Partial<Record<ProbeKind, unknown>>;

export function prepareSteps({ clusters }: UpgradeDeps) {
  return {
    async prepareUpgrade(call: Call, _acting: Acting, input: UpgradeInput): Promise<PreparedUpgrade> {
      const cluster = clusters.get(input.cluster);
      const { config, kube } = cluster;
      const statefulSet = await kube.get('statefulSet', config.statefulSet, { signal: call.signal });
      const found = lxdContainer(parseStatefulSet(statefulSet).spec.template.spec, config);
      assertImage(input.image);
      const asked = input.environment ?? {};
      assertEnvironment(asked, cluster);
      const probes = wantedProbes(found, statefulSet.metadata.annotations);
      return {
        settings: {
          approvalSeconds: config.approvalSeconds,
          twoPersons: config.twoPersons,
          standSeconds: config.standSeconds,
          probeLease: { seconds: config.probeLeaseSeconds },
          merge: config.way.kind === 'gitops' ? config.way.merge : 'person',
        },
        desired: {
          build: { image: input.image, environment: { ...buildOf(found, config).environment, ...asked } },
          probes: config.probes,
          probeKinds: PROBE_KINDS.filter((kind) => probes[kind] !== undefined),
          way: config.way.kind,
          instances: input.instances ?? config.instances,
          timings: config.timings,
          deadlinesSeconds: config.deadlinesSeconds,
          settleSeconds: config.settleSeconds,
          stuckSeconds: config.stuckSeconds,
        },
      };
    },
  };
}

/**
 * What the pods' probes are to be: those of the template, and of the kinds that it does not have the ones that an upgrade took out and wrote
 * down.
 */
export function wantedProbes(found: Container, annotations: Readonly<Record<string, string>> | undefined): Probes {
  const kept = keptProbes(annotations);
  const present = probesOf(found).map((kind) => [kind, found[PROBE_FIELDS[kind]]] as const);
  return { ...kept, ...Object.fromEntries(present) };
}

function keptProbes(annotations: Readonly<Record<string, string>> | undefined): Probes {
  const text = annotations?.[UPGRADE_KEYS.probes];
  if (text === undefined) return {};
  try {
    return JSON.parse(text) as Probes;
  } catch (cause) {
    throw new PlatformError(
      'PROTOCOL',
      `Annotation ${UPGRADE_KEYS.probes} of the StatefulSet is not JSON: put it right, or take it away.`,
      {
        cause,
      },
    );
  }
}

export function probeField(kind: ProbeKind): string {
  return PROBE_FIELDS[kind];
}

function assertImage(image: string): void {
  if (/^[^\s@]+(?::[\w][\w.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$/.test(image) && /[:@][^/]+$/.test(image)) return;
  throw new PlatformError('INVALID_INPUT', `${image} is not a full reference of an image: name its tag or digest.`, {
    details: { field: 'image' },
  });
}

function assertEnvironment(asked: Readonly<Record<string, string>>, { config }: Cluster): void {
  const other = Object.keys(asked).find((name) => !config.environment.includes(name));
  if (other === undefined) return;
  const known = config.environment.join(', ') || 'none';
  throw new PlatformError('INVALID_INPUT', `Variable ${other} does not count for ${config.name} (those that do: ${known}).`, {
    details: { field: `environment.${other}` },
  });
}
