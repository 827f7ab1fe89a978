import { readFileSync } from 'node:fs';
import { type ChartLab, MEMBER } from '#lab/chart/chart-lab.js';
import { NAMESPACE, NODE, ON_NODE } from '#lab/chart/surroundings.js';
import { isReady, type Pod } from '#lab/cluster/kube.js';
import { nodeAddress } from '#lab/cluster/network.js';
import { KubeClient } from '#lab/kube-client.js';
import { waitFor } from '#lab/wait.js';

/** Whose pods and accounts these are: of nobody who has to do with the platform. */
export const TENANTS = 'tenants';
/** Named like a member of LXD, which must not help it. */
const POD = 'lxd-1';
const METADATA_POD = 'metadata';
/** Pods beside the tenant's, by name: one that is labelled as the worker, and one that is nobody's in the platform's own namespace. */
const PRETENDER = 'pretender';
const STRANGER = 'stranger';
export const METADATA = '169.254.169.254';
const AUDIENCE = 'webspaces-lxd8s';
/** Of the webspace that attacks: alice's, whose console others are after. */
export const INSTANCE = 'ws-u1';

/** What answers on the node as a cloud's metadata service does, as long as it runs. */
const METADATA_SERVER = `ip address add ${METADATA}/32 dev lo || true
trap 'ip address del ${METADATA}/32 dev lo; exit 0' TERM
node -e 'require("http").createServer((q, a) => a.end("credentials")).listen(80, "${METADATA}")' & wait`;

/**
 * The three who attack the chart's installation: a webspace's container, an ordinary pod of another namespace (root, the capabilities that
 * containerd gives, a token of the audience that joins take), and a service account that nobody gave anything.
 */
export class AttackPlace {
  /** As the account at Kubernetes' API, and as the cluster's admin, who is the control. */
  readonly account: KubeClient;
  readonly admin: KubeClient;

  private constructor(
    readonly chart: ChartLab,
    readonly token: string,
    /** By name: `lxd-0`, `webspaces-temporal-0`, …. */
    readonly addresses: Readonly<Record<string, string>>,
    readonly services: Readonly<Record<string, string>>,
    /** Address and port of its Service, and of the kubelet. */
    readonly kubernetes: string,
    readonly kubelet: string,
    /** Address of the member that the webspace is on. */
    readonly home: string,
  ) {
    const { profile, kubeconfigAdmin, caFile } = chart.lab;
    this.admin = KubeClient.fromKubeconfig(kubeconfigAdmin);
    this.account = new KubeClient(profile.urls.kubernetes, { ca: readFileSync(caFile), token });
  }

  static async open(chart: ChartLab): Promise<AttackPlace> {
    await AttackPlace.remove(chart);
    const { status } = await chart.api('alice', 'POST', '/v1/webspace/self', { image: 'hello' });
    if (status !== 201 && status !== 409) throw new Error(`the API answered ${status}`);
    await chart.page('alice');
    const image = (await chart.pods()).get('webspaces-gateway-0')?.spec.containers[0]?.image ?? '';
    const { lab } = chart;
    await lab.kubectl(['apply', '--server-side', '-f', '-'], {
      input: objects(image)
        .map((one) => JSON.stringify(one))
        .join('\n---\n'),
    });
    const pods = { [POD]: TENANTS, [METADATA_POD]: TENANTS, [PRETENDER]: TENANTS, [STRANGER]: NAMESPACE };
    for (const [name, namespace] of Object.entries(pods)) {
      const ready = async () => {
        const text = await lab.kubectl(['--namespace', namespace, 'get', 'pod', name, '--output', 'json']);
        return isReady(JSON.parse(text) as Pod);
      };
      await waitFor(`the pod ${name}`, ready, { timeoutMs: 60_000, intervalMs: 300 });
    }
    const token = (await lab.kubectl(['--namespace', TENANTS, 'create', 'token', 'default'])).trim();
    const addressOf = [...(await chart.pods()).entries()].map(([name, { status }]) => [name, status.podIP ?? ''] as const);
    const { items } = JSON.parse(await chart.kubectl(['get', 'services', '--output', 'json'])) as Services;
    const services = items.map(({ metadata, spec }) => [metadata.name, spec.clusterIP] as const);
    const kubernetes = [
      '--namespace',
      'default',
      'get',
      'service',
      'kubernetes',
      '--output',
      'jsonpath={.spec.clusterIP} {.spec.ports[0].port}',
    ];
    const kubelet = `${nodeAddress(lab.profile, NODE)} 10250`;
    const addresses = Object.fromEntries(addressOf);
    const home = addresses[await chart.memberOf(INSTANCE)] ?? '';
    return new AttackPlace(chart, token, addresses, Object.fromEntries(services), await lab.kubectl(kubernetes), kubelet, home);
  }

  static async remove({ lab }: ChartLab): Promise<void> {
    await lab.kubectl(['--namespace', NAMESPACE, 'delete', 'pod', STRANGER, '--ignore-not-found', '--timeout=60s'], { timeoutMs: 90_000 });
    await lab.kubectl(['delete', 'namespace', TENANTS, '--ignore-not-found', '--timeout=60s'], { timeoutMs: 90_000 });
  }

  get member(): string {
    return this.addresses[MEMBER] ?? '';
  }

  /** What the script says in the webspace's container, its errors too. */
  inContainer(script: string): Promise<string> {
    return this.chart.exec(['lxc', 'exec', INSTANCE, '--', 'sh', '-c', `{ ${script}\n} 2>&1; true`]);
  }

  /** And in the tenant's pod. */
  inPod(script: string): Promise<string> {
    return this.inside(TENANTS, POD, script);
  }

  /** And in those whom no NetworkPolicy names: the tenant's pod, one of its that is labelled as the worker, a pod of the platform's namespace. */
  async inStrangers(script: string): Promise<string[]> {
    const pods = [
      [TENANTS, POD],
      [TENANTS, PRETENDER],
      [NAMESPACE, STRANGER],
    ] as const;
    return Promise.all(pods.map(([namespace, pod]) => this.inside(namespace, pod, script)));
  }

  /** And in a pod of the release, such as `lxd-1` or `deployment/webspaces-worker`. */
  inRelease(pod: string, script: string): Promise<string> {
    return this.inside(NAMESPACE, pod, script);
  }

  private inside(namespace: string, pod: string, script: string): Promise<string> {
    const command = ['exec', pod, '--', 'sh', '-c', `{ ${script}\n} 2>&1; true`];
    return this.chart.lab.kubectl(['--namespace', namespace, ...command], { timeoutMs: 60_000 });
  }

  /** And beside LXD, in the member's pod, which is privileged. */
  inMember(script: string): Promise<string> {
    return this.chart.exec(['sh', '-c', `{ ${script}\n} 2>&1; true`]);
  }

  /** A token of that account of the platform's own namespace, or of the tenants', for joins. */
  async joinToken(account: string, namespace: string): Promise<string> {
    const args = ['--namespace', namespace, 'create', 'token', account, '--audience', AUDIENCE];
    return (await this.chart.lab.kubectl(args)).trim();
  }
}

interface Services {
  readonly items: readonly { readonly metadata: { readonly name: string }; readonly spec: { readonly clusterIP: string } }[];
}

function objects(image: string): object[] {
  const pod = (name: string, spec: object, container: object, { namespace = TENANTS, labels = { app: name } as object } = {}) => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      nodeSelector: ON_NODE,
      terminationGracePeriodSeconds: 3,
      ...spec,
      containers: [{ name: 'main', image, ...container }],
    },
  });
  const joins = { name: 'joins', projected: { sources: [{ serviceAccountToken: { audience: AUDIENCE, path: 'token' } }] } };
  const root = { runAsUser: 0 };
  const sleeps = { command: ['sleep', 'infinity'], securityContext: root };
  return [
    { apiVersion: 'v1', kind: 'Namespace', metadata: { name: TENANTS } },
    { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'default', namespace: TENANTS } },
    pod(POD, { volumes: [joins] }, { ...sleeps, volumeMounts: [{ name: 'joins', mountPath: '/joins' }] }),
    pod(PRETENDER, {}, sleeps, { labels: { 'app.kubernetes.io/name': 'webspaces-worker', 'app.kubernetes.io/part-of': 'webspaces' } }),
    pod(STRANGER, {}, sleeps, { namespace: NAMESPACE }),
    pod(
      METADATA_POD,
      { hostNetwork: true },
      { command: ['sh', '-c', METADATA_SERVER], securityContext: { ...root, capabilities: { add: ['NET_ADMIN'] } } },
    ),
  ];
}
