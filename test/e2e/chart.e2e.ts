import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parse, stringify } from 'yaml';
import { CHART, Helm } from '#lab/chart/helm.js';
import { type Lab, startKubernetes } from '#lab/harness.js';
import { LONGHORN_NAMESPACE } from '#lab/longhorn/part.js';
import { projectRoot } from '#lab/project.js';
import {
  configurationOf,
  configurationsOf,
  EXAMPLES,
  filesNotMounted,
  type Manifest,
  manifestsOf,
  valuesOf,
  verdictOf,
  type Workload,
  workerOf,
  workloadsOf,
} from '../support/chart.js';
import { rightsOf } from '../support/rights.js';

const NAMESPACE = 'chart-trial';
// Each call of helm reads the whole schema of values, and each verdict is a process.
jest.setTimeout(60_000);

let lab: Lab;
let helm: Helm;
let folder: string;

beforeAll(async () => {
  lab = await startKubernetes();
  folder = mkdtempSync(join(tmpdir(), 'webspaces-chart-'));
  helm = new Helm(join(folder, 'helm'), lab.kubeconfigAdmin, NAMESPACE);
  await lab.kubectl(['create', 'namespace', NAMESPACE]);
  const ofLonghorn = join(projectRoot(), 'lab', 'longhorn', 'namespace.yaml');
  await lab.kubectl(['apply', '--server-side', '--force-conflicts', '--field-manager=lab', '-f', ofLonghorn]);
  // The first one on a machine is built from source.
  await helm.run(['version', '--short']);
}, 600_000);
afterAll(async () => {
  await lab?.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
  if (folder) rmSync(folder, { recursive: true, force: true });
}, 120_000);

async function refusal(...set: readonly string[]): Promise<string> {
  return helm.template([valuesOf('one-node')], ...set).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
}

describe.each(EXAMPLES)('the chart with the values for %s', (example) => {
  let objects: Manifest[];
  beforeAll(async () => {
    objects = manifestsOf(await helm.template([valuesOf(example)]));
  }, 60_000);

  it('is accepted as a whole by the API server, in any namespace (row 44)', async () => {
    expect(objects.length).toBeGreaterThan(25);
    const places = [NAMESPACE, LONGHORN_NAMESPACE] as const;
    const ofPlace = (namespace: string) => objects.filter(({ metadata }) => (metadata.namespace ?? NAMESPACE) === namespace);
    const answers: string[] = [];
    // kubectl takes objects of one namespace at a time, when it is told one.
    for (const namespace of places.filter((place) => ofPlace(place).length > 0)) {
      const some = ofPlace(namespace);
      const file = join(folder, `${example}-${namespace}.yaml`);
      writeFileSync(file, some.map((object) => stringify(object)).join('---\n'));
      const how = ['apply', '--server-side', '--dry-run=server', '--force-conflicts', '-f', file];
      answers.push(...(await lab.kubectl(['--namespace', namespace, ...how])).trim().split('\n'));
    }
    expect(answers).toHaveLength(objects.length);
  });

  it('gives every process the files that its configuration names', () => {
    expect(filesNotMounted(objects)).toEqual([]);
  });

  it('gives every process a configuration that it accepts', async () => {
    const files = configurationsOf(objects).filter(([name]) => name !== 'preseed.yaml');
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const [name, text] of files)
      expect({ name, verdict: await verdictOf(folder, name.replace('.yaml', ''), text) }).toEqual({ name, verdict: 'accepted' });
  }, 60_000);
});

it('those that ask Kubernetes nothing have no token of it, and every account that a pod is of is there', async () => {
  const objects = manifestsOf(await helm.template([valuesOf('one-node')], '--set', 'octolxd.enabled=true'));
  const named = (kind: string) => objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
  const pods = workloadsOf(objects);
  const without = pods.filter(({ spec }) => spec.template.spec.automountServiceAccountToken === false);
  expect(without.map(({ metadata }) => metadata.name).sort()).toEqual(['webspaces-api', 'webspaces-octolxd', 'webspaces-temporal']);
  const accounts = pods.flatMap(({ spec }) => spec.template.spec.serviceAccountName ?? []);
  expect([...named('ServiceAccount'), 'default']).toEqual(expect.arrayContaining(accounts));
  for (const kind of ['ServiceAccount', 'Role', 'RoleBinding']) expect(named(kind)).not.toContain('webspaces-api');
});

it('row 87: one section of the values is the LAN of all parts, and a change of it reaches all', async () => {
  const change = ['--set', 'lan.vni=4242', '--set', 'lan.ipv4.router=172.24.254.9'];
  const files = Object.fromEntries(configurationsOf(manifestsOf(await helm.template([valuesOf('society')], ...change))));
  const sections = Object.entries(files).flatMap(([name, text]) => {
    const { lan } = parse(text) as { readonly lan?: object };
    return lan === undefined ? [] : [{ name, lan }];
  });
  expect(sections.map(({ name }) => name).sort()).toEqual(['kubelan.yaml', 'kuberouter.yaml', 'lxd8s.yaml']);
  for (const { lan } of sections) expect(lan).toEqual({ ...sections[0]?.lan, vni: 4242 });
  expect(sections[0]?.lan).toMatchObject({ ipv4: { router: '172.24.254.9' } });
});

it('certificates for Temporal, and what GitHub asks for, are in the pods of all that are told of them', async () => {
  const github = { auth: { kind: 'token', tokenFile: '/run/webspaces/github/token' } };
  const told = {
    temporal: { tls: { serverCaFile: '/run/webspaces/temporal/ca.crt' } },
    images: { github },
    octolxd: { enabled: true, config: { github } },
  };
  const missingWith = async (secrets: object) => {
    const file = join(folder, 'credentials.yaml');
    writeFileSync(file, stringify({ ...told, secrets }));
    return filesNotMounted(manifestsOf(await helm.template([valuesOf('society'), file]))).sort();
  };
  expect(await missingWith({ temporal: 'temporal-certificates', github: 'github-token' })).toEqual([]);
  expect(await missingWith({ temporal: '', github: '' })).toEqual([
    'webspaces-api/api: /run/webspaces/github/token',
    'webspaces-api/api: /run/webspaces/temporal/ca.crt',
    'webspaces-gateway/gateway: /run/webspaces/temporal/ca.crt',
    'webspaces-octolxd/octolxd: /run/webspaces/github/token',
    'webspaces-router/gateway: /run/webspaces/temporal/ca.crt',
    'webspaces-worker/worker: /run/webspaces/github/token',
    'webspaces-worker/worker: /run/webspaces/temporal/ca.crt',
  ]);
});

describe('upgrades and scalings', () => {
  it.each([
    { set: [], storage: { kind: 'longhorn' }, namespace: LONGHORN_NAMESPACE },
    { set: ['--set', 'lxd8s.volumes.namespace=storage'], storage: { kind: 'longhorn', namespace: 'storage' }, namespace: 'storage' },
  ])('look at the volumes of the members that are Longhorn’s, and may: $storage', async ({ set, storage, namespace }) => {
    const objects = manifestsOf(await helm.template([valuesOf('society')], ...set));
    expect(workerOf(objects)).toMatchObject({ clusters: [{ name: 'lxd', storage }] });
    expect(rightsOf(objects, 'webspaces-worker', namespace)).toEqual([
      'longhorn.io/engines list',
      'longhorn.io/nodes get',
      'longhorn.io/replicas list',
      'longhorn.io/volumes list',
    ]);
  });

  it('look at no others', async () => {
    const objects = manifestsOf(await helm.template([valuesOf('one-node')]));
    expect(workerOf(objects)).toMatchObject({ clusters: [{ name: 'lxd', storage: { kind: 'unwatched' } }] });
    expect(rightsOf(objects, 'webspaces-worker', LONGHORN_NAMESPACE)).toEqual([]);
  });
});

it('the gateway of sites only follows webspaces; the one beside the router labels pods of its own StatefulSet, as many as there are', async () => {
  const objects = manifestsOf(await helm.template([valuesOf('many-nodes')], '--set', 'router.enabled=true,router.replicas=3'));
  expect(rightsOf(objects, 'webspaces-gateway', NAMESPACE)).toEqual([
    'webspaces.netsoc.ie/webspaces list',
    'webspaces.netsoc.ie/webspaces watch',
  ]);
  expect(rightsOf(objects, 'webspaces-kuberouter', NAMESPACE).filter((right) => right.startsWith('/pods'))).toEqual([
    '/pods list',
    '/pods patch of webspaces-router-0, webspaces-router-1, webspaces-router-2',
  ]);
});

it('a planned stop asks the gateways beside the routers, where there are routers', async () => {
  const objects = manifestsOf(await helm.template([valuesOf('one-node')]));
  expect(workerOf(objects)).toMatchObject({ gateway: { portsGateways: [`webspaces-router.${NAMESPACE}.svc:8082`] } });
  expect(configurationOf(objects, 'webspaces-router', 'gateway.yaml')).toMatchObject({ role: 'ports', listen: '0.0.0.0:8082' });
  const without = manifestsOf(await helm.template([valuesOf('many-nodes')]));
  expect(workerOf(without)).not.toHaveProperty('gateway.portsGateways');
});

it('row 71: a member in a machine of its own asks for devices and NET_ADMIN, and for nothing else', async () => {
  const objects = manifestsOf(await helm.template([valuesOf('machines')])) as unknown as readonly Workload[];
  const pod = objects.find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name === 'lxd')?.spec.template.spec;
  const containers = [...(pod?.initContainers ?? []), ...(pod?.containers ?? [])];
  expect(containers.map(({ name }) => name)).toEqual(['kubelan', 'member', 'endpoint']);
  for (const { securityContext } of containers) {
    expect(securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    expect(securityContext).not.toHaveProperty('privileged');
    expect(securityContext.capabilities).toMatchObject({ drop: ['ALL'] });
    expect(securityContext.capabilities.add ?? ['NET_ADMIN']).toEqual(['NET_ADMIN']);
  }
  expect(pod?.volumes.filter((volume) => 'hostPath' in volume)).toEqual([]);
  const member = containers.find(({ name }) => name === 'member');
  expect(member?.securityContext).toMatchObject({ seccompProfile: { type: 'RuntimeDefault' } });
  const devices = { 'devices.kubevirt.io/kvm': 1, 'devices.kubevirt.io/tun': 1 };
  expect(member?.resources.limits).toEqual({ cpu: 8, memory: '16Gi', ...devices });
});

const MACHINE = 'lxd8s.runtime=vm,lxd8s.resources.limits.memory=2Gi,lxd8s.resources.limits.cpu=1';

describe('wrong values are refused before anything is changed, by name', () => {
  it.each([
    ['a setting that no process knows', ['--set', 'worker.config.idelStop.enabled=true'], /\/worker\/config.*idelStop/s],
    ['a value out of range', ['--set', 'lan.vni=99999999'], /\/lan\/vni/],
    ['no base domain', ['--set', 'platform.baseDomain='], /platform.baseDomain|\/platform\/baseDomain/],
    ['no Temporal', ['--set', 'temporal.devServer.enabled=false'], /temporal.address: say host:port/],
    ['a machine of a pod without a limit', ['--set', 'lxd8s.runtime=vm'], /lxd8s.resources.limits.memory: say how much/],
    ['volumes of nobody', ['--set', 'lxd8s.volumes.kind=ceph'], /\/lxd8s\/volumes/],
    ['machines on the LAN, where nobody guards ports', ['--set', `${MACHINE},lxd8s.lan=true`], /lxd8s.vm.unguardedLan: on the LAN nobody/],
    ['a machine of no runtime', ['--set', 'lxd8s.runtime=kvm'], /\/lxd8s\/runtime/],
    ['nobody who knows the accounts', ['--set', 'identity=null'], /identity.adapter: say who knows the accounts/],
  ])('%s', async (_, set, said) => {
    expect(await refusal(...set)).toMatch(said);
  });
});

describe('a release', () => {
  it('is installed, changed and removed by helm; definitions and claims of storage stay, and it is installed again', async () => {
    const install = ['upgrade', '--install', 'webspaces', CHART, '--values', valuesOf('one-node'), '--take-ownership'];
    expect(await helm.run(install)).toContain('Webspaces 0.1.0 is installed in namespace chart-trial.');
    const inPlace = async (what: string) =>
      (await lab.kubectl(['--namespace', NAMESPACE, 'get', what, '--output', 'name', '--ignore-not-found'])).trim();
    const before = await inPlace('deployment/webspaces-api');
    expect(before).toBe('deployment.apps/webspaces-api');
    const checksum = async () =>
      lab.kubectl([
        '--namespace',
        NAMESPACE,
        'get',
        'deployment/webspaces-worker',
        '--output',
        'jsonpath={.spec.template.metadata.annotations}',
      ]);
    const first = await checksum();
    await helm.run([...install, '--set', 'worker.config.idleStop.enabled=true']);
    expect(await checksum()).not.toBe(first);
    const map = await lab.kubectl([
      '--namespace',
      NAMESPACE,
      'get',
      'configmap/webspaces-worker',
      '--output',
      'jsonpath={.data.worker\\.yaml}',
    ]);
    expect(parse(map)).toMatchObject({ idleStop: { enabled: true } });
    expect(await helm.run(['uninstall', 'webspaces'])).toContain('webspaces-after-uninstall');
    expect(await inPlace('deployment/webspaces-api')).toBe('');
    const goOn = await lab.kubectl([
      '--namespace',
      NAMESPACE,
      'get',
      'configmap/webspaces-after-uninstall',
      '--output',
      'jsonpath={.data.README}',
    ]);
    expect(goOn).toMatch(/on the claims lxd-lxd-<number>.*helm upgrade --install webspaces deploy\/chart --namespace chart-trial/s);
    expect(await inPlace('customresourcedefinition/webspaces.webspaces.netsoc.ie')).not.toBe('');
    expect(await inPlace('persistentvolumeclaim/webspaces-staging')).not.toBe('');
    await helm.run(install);
    expect(await inPlace('deployment/webspaces-api')).toBe(before);
    await helm.run(['uninstall', 'webspaces']);
  }, 120_000);
});
