import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { CHART, Helm } from '#lab/chart/helm.js';
import { tryRun } from '#lab/exec.js';
import { type Lab, startKubernetes } from '#lab/harness.js';
import { projectRoot } from '#lab/project.js';
import { EXAMPLES, valuesOf } from '../support/chart.js';

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
}

interface Container {
  readonly name: string;
  readonly securityContext: { readonly capabilities: { readonly drop: readonly string[]; readonly add?: readonly string[] } };
  readonly resources: { readonly limits?: Readonly<Record<string, string | number>> };
}

interface Workload extends Manifest {
  readonly spec: {
    readonly template: {
      readonly spec: {
        readonly serviceAccountName?: string;
        readonly automountServiceAccountToken?: boolean;
        readonly initContainers?: readonly Container[];
        readonly containers: readonly Container[];
        readonly volumes: readonly object[];
      };
    };
  };
}

const NAMESPACE = 'chart-trial';
/** What a pod says of itself by its environment. */
const FROM_THE_POD: Readonly<Record<string, Record<string, string>>> = {
  gateway: { WEBSPACES__PORTS__POD_NAME: 'router-0' },
  kuberouter: { WEBSPACES__STANDBY__POD_NAME: 'router-0' },
  'lxd8s-member': { WEBSPACES__MEMBER: 'lxd-0' },
};
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
  // The first one on a machine is built from source.
  await helm.run(['version', '--short']);
}, 600_000);
afterAll(async () => {
  await lab?.kubectl(['delete', 'namespace', NAMESPACE, '--ignore-not-found', '--wait=false']);
  if (folder) rmSync(folder, { recursive: true, force: true });
}, 120_000);

function manifestsOf(text: string): Manifest[] {
  return parseAllDocuments(text).flatMap((document) => (document.toJS() as Manifest | null) ?? []);
}

/** By file name, what the ConfigMaps hold for processes. */
function configurationsOf(objects: readonly Manifest[]): [string, string][] {
  const maps = objects.filter(({ kind }) => kind === 'ConfigMap');
  return maps.flatMap(({ data = {} }) => Object.entries(data)).filter(([name]) => name.endsWith('.yaml'));
}

async function refusal(...set: readonly string[]): Promise<string> {
  return helm.template([valuesOf('one-node')], ...set).then(
    () => 'accepted',
    (error: Error) => error.message,
  );
}

/** What the process says of a file of its configuration, whose secrets and other files are elsewhere here. */
async function verdict(process_: string, text: string): Promise<string> {
  const secrets = join(folder, 'secrets');
  const file = join(folder, `${process_}.yaml`);
  const config = text.replaceAll(/\/run\/webspaces\/|\/etc\/webspaces-/g, `${secrets}/`);
  for (const [path] of config.matchAll(new RegExp(`${secrets}/[\\w./-]+`, 'g'))) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '-');
  }
  writeFileSync(file, config);
  const main = join(projectRoot(), 'dist', 'apps', process_.replace('-', '/'), 'main.js');
  const args = [main, '--config', file, '--print-config'];
  const { exitCode, stdout, stderr } = await tryRun(process.execPath, args, { timeoutMs: 30_000, env: FROM_THE_POD[process_] ?? {} });
  return exitCode === 0 && stdout !== '' ? 'accepted' : `${exitCode}: ${stderr}`;
}

describe.each(EXAMPLES)('the chart with the values for %s', (example) => {
  let objects: Manifest[];
  beforeAll(async () => {
    objects = manifestsOf(await helm.template([valuesOf(example)]));
  }, 60_000);

  it('is accepted as a whole by the API server, in any namespace (row 44)', async () => {
    expect(objects.length).toBeGreaterThan(25);
    const file = join(folder, `${example}.yaml`);
    writeFileSync(file, objects.map((object) => stringify(object)).join('---\n'));
    const answer = await lab.kubectl([
      '--namespace',
      NAMESPACE,
      'apply',
      '--server-side',
      '--dry-run=server',
      '--force-conflicts',
      '-f',
      file,
    ]);
    expect(answer.trim().split('\n')).toHaveLength(objects.length);
    const elsewhere = objects.filter(({ metadata }) => metadata.namespace !== undefined && metadata.namespace !== NAMESPACE);
    expect(elsewhere.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([]);
  });

  it('gives every process a configuration that it accepts', async () => {
    const files = configurationsOf(objects).filter(([name]) => name !== 'preseed.yaml');
    expect(files.length).toBeGreaterThanOrEqual(3);
    for (const [name, text] of files)
      expect({ name, verdict: await verdict(name.replace('.yaml', ''), text) }).toEqual({ name, verdict: 'accepted' });
  }, 60_000);
});

it('those that ask Kubernetes nothing have no token of it, and every account that a pod is of is there', async () => {
  const objects = manifestsOf(
    await helm.template([valuesOf('one-node')], '--set', 'octolxd.enabled=true'),
  ) as unknown as readonly Workload[];
  const named = (kind: string) => objects.filter((object) => object.kind === kind).map(({ metadata }) => metadata.name);
  const pods = objects.filter(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet');
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
