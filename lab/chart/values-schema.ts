import { z } from 'zod';
import { apiConfigSchema } from '#libs/config/api.js';
import { clusterStorageSchema, clusterWaySchema } from '#libs/config/clusters.js';
import { gatewayConfigSchema } from '#libs/config/gateway.js';
import { kubelanConfigSchema } from '#libs/config/kubelan.js';
import { kuberouterConfigSchema } from '#libs/config/kuberouter.js';
import { lanSchema } from '#libs/config/lan.js';
import { lxd8sConfigSchema } from '#libs/config/lxd8s.js';
import { lxd8sMemberConfigSchema } from '#libs/config/lxd8s-member.js';
import { octolxdConfigSchema } from '#libs/config/octolxd.js';
import { workerConfigSchema } from '#libs/config/worker.js';

type Schema = { [key: string]: unknown };

const text = { type: 'string' };
const flag = { type: 'boolean' };
const count = { type: 'integer', minimum: 1 };
const quantity = { type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?(Ki|Mi|Gi|Ti)?$' };
const ACCESS_MODE = { enum: ['ReadWriteOnce', 'ReadWriteMany', 'ReadWriteOncePod'] };
const anything = { type: 'object' };
const ELSEWHERE: ReadonlySet<string> = new Set([
  'platform',
  'lxd',
  'identity',
  'images',
  'temporal',
  'lan',
  'sealing',
  'kubernetes',
  'role',
  'listen',
  'cacheFolder',
  'statefulSet',
  'member',
  'domain',
  'preseedFile',
  'certificate',
  'console',
  // Said by lxd8s.runtime and lxd8s.vm.
  'runtime',
  'vm',
]);

/**
 * The chart's values.schema.json: what a process's configuration may hold is said by that process's own schema, so that a wrong key is refused
 * by `helm` before anything is changed.
 */
export function valuesSchema(): Schema {
  const { platform, identity, images, temporal } = propertiesOf(apiConfigSchema);
  const processes = (schema: z.ZodType) => ({ replicas: count, config: ownOf(schema), resources: anything });
  const site = { host: text, entryPoint: text, tlsSecret: text };
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    ...object({
      global: anything,
      image: object({
        repository: text,
        tag: text,
        pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
        pullSecrets: { type: 'array', items: object({ name: text }) },
      }),
      definitions: object({ install: flag }),
      secrets: object({ sealing: text, lxd: text, identity: text, temporal: text, github: text }),
      platform: optional(platform),
      lxd: object({ url: { type: 'string', pattern: '^(https://.*)?$' } }),
      identity: { anyOf: [{ type: 'object', maxProperties: 0 }, identity] },
      images: optional(images),
      temporal: withProperties(optional(temporal), {
        address: text,
        uiUrl: text,
        devServer: object({ enabled: flag, image: text, size: quantity, storageClass: text }),
      }),
      lan: partsOf(lanSchema),
      kubelan: object({ config: ownOf(kubelanConfigSchema), resources: anything }),
      router: object({
        enabled: flag,
        replicas: count,
        forwarding: { enum: ['none', 'sysctls', 'init'] },
        config: ownOf(kuberouterConfigSchema),
        gatewayConfig: ownOf(gatewayConfigSchema),
        resources: anything,
      }),
      staging: object({
        existingClaim: text,
        size: quantity,
        storageClass: text,
        accessMode: ACCESS_MODE,
      }),
      api: object({ ...processes(apiConfigSchema), ...site }),
      worker: object(processes(workerConfigSchema)),
      gateway: object({ ...processes(gatewayConfigSchema), lanAddress: text }),
      lxd8s: object({
        enabled: flag,
        replicas: count,
        onePerNode: flag,
        runtime: { enum: ['container', 'vm'] },
        vm: withProperties(machine(), { devices: object({ kvm: text, tun: text }), unguardedLan: flag }),
        image: text,
        environment: { type: 'object', propertyNames: { pattern: '^LXD_' }, additionalProperties: text },
        data: volume(quantity),
        // Empty: none.
        storage: volume({ type: 'string', pattern: `^$|${quantity.pattern}` }),
        volumes: partsOf(clusterStorageSchema),
        way: partsOf(clusterWaySchema),
        copies: object({ size: quantity, storageClass: text, accessMode: ACCESS_MODE }),
        graceSeconds: { type: 'integer', minimum: 5, maximum: 3600 },
        certificate: text,
        console: text,
        preseed: anything,
        lan: flag,
        config: ownOf(lxd8sMemberConfigSchema),
        endpointConfig: ownOf(lxd8sConfigSchema),
        resources: anything,
        endpointResources: anything,
        host: text,
        entryPoint: text,
      }),
      octolxd: object({
        enabled: flag,
        config: ownOf(octolxdConfigSchema),
        resources: anything,
        cache: object({ size: quantity, storageClass: text }),
        ...site,
      }),
      traefik: object({ namespace: text, podLabels: anything, entryPoints: { type: 'array', items: text } }),
      networkPolicies: object({
        enabled: flag,
        metricsFrom: { type: 'array', items: object({ namespaceSelector: anything, podSelector: anything, ipBlock: anything }) },
        metadataRefusedTo: { type: 'array', items: { type: 'string', pattern: '^[a-z0-9]([-a-z0-9]*[a-z0-9])?$' } },
      }),
      nodeSelector: anything,
      tolerations: { type: 'array', items: anything },
    }),
  };
}

function object(properties: Schema): Schema {
  return { type: 'object', additionalProperties: false, properties };
}

function volume(size: Schema): Schema {
  return object({ size, storageClass: text });
}

/** Of a configuration, of which everything may be absent: the rest comes from elsewhere. */
function partsOf(schema: z.ZodType): Schema {
  return optional(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }));
}

/** What a process's `config` may hold: not the sections that stand at the top of the values, or that the chart itself decides. */
function ownOf(schema: z.ZodType): Schema {
  const whole = partsOf(schema);
  const own = Object.entries(whole['properties'] as Schema).filter(([key]) => !ELSEWHERE.has(key));
  return { ...whole, properties: Object.fromEntries(own) };
}

/** Section `vm` of a member's configuration, but for what the chart's pod itself decides. */
function machine(): Schema {
  const { vm } = partsOf(lxd8sMemberConfigSchema)['properties'] as { readonly vm: Schema };
  const { lan: _, runFolder: __, ...properties } = vm['properties'] as Schema;
  return optional({ ...vm, properties });
}

function propertiesOf(schema: z.ZodType): Record<'platform' | 'identity' | 'images' | 'temporal', Schema> {
  const { properties } = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' });
  return properties as Record<'platform' | 'identity' | 'images' | 'temporal', Schema>;
}

function withProperties(schema: Schema, properties: Schema): Schema {
  return { ...schema, properties: { ...(schema['properties'] as Schema), ...properties } };
}

/** Of what may be absent here: the chart has it from elsewhere, and the process says what is missing. */
function optional({ $schema: _, required: __, ...schema }: Schema): Schema {
  return schema;
}
