import { NAMESPACE } from '#lab/profile.js';
import type { KindName, NewObject } from '#libs/contracts/kubernetes-objects.js';
import { RECORD_KEY } from '#libs/contracts/webspaces-api.js';
import { desiredObjects, webspaceSpec } from '#libs/domain/desired-objects.js';
import type { Platform } from '#libs/domain/platform.js';
import { serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { exampleRecord } from '#libs/testing/example-record.js';
import type { Member } from './members.js';
import type { Options } from './options.js';
import { timed } from './raw.js';
import type { Line, Report } from './results.js';
import type { Stage } from './stage.js';
import { summaryOf } from './statistics.js';

const WARM_UP = 2;
const INTERNAL_PORT = 80;

/** A change as a member asks for it, and the writes to LXD and Kubernetes without which it cannot be. */
interface Change {
  readonly what: string;
  ask(member: Member, round: number): Promise<number>;
  /** Objects written, beside the lock's two writes and the record. */
  readonly claims: readonly KindName[];
  readonly applied: readonly KindName[];
}

/** Changes of one webspace through the API, and their bare calls by the same clients, in turns. */
export async function benchChanges(stage: Stage, options: Options, report: Report): Promise<void> {
  const { members, lab } = stage;
  const bare = await BareCalls.open(stage);
  const member = members.fresh();
  await members.ended(await members.create(member));
  const domain = (round: number) => `bench-${round}.example.org`;
  const proved = Array.from(
    { length: options.count + 2 * WARM_UP },
    (_, i) => [domain(i - WARM_UP), { txt: [`webspace:id:${member.id}`] }] as const,
  );
  lab.dns.set(Object.fromEntries(proved));
  const asked = async (status: number, method: 'POST' | 'PATCH' | 'DELETE', path: string, body?: object) =>
    (await members.ask(status, member, method, path, body)).ms;
  const changes: Change[] = [
    {
      what: 'PATCH …/config (httpPort)',
      ask: (_member, round) => asked(200, 'PATCH', '/config', { httpPort: 8000 + (round & 1) }),
      claims: [],
      applied: ['webspace', 'service', 'endpointSlice'],
    },
    {
      what: 'POST …/ports/{ePort}/{iPort}',
      ask: (_member, round) => asked(201, 'POST', `/ports/${50_010 + round}/${INTERNAL_PORT}`),
      claims: ['portForward'],
      applied: ['webspace'],
    },
    {
      what: 'DELETE …/ports/{ePort}',
      ask: (_member, round) => asked(204, 'DELETE', `/ports/${50_010 + round}`),
      claims: ['portForward'],
      applied: ['webspace'],
    },
    {
      what: 'POST …/domains/{domain}, resolver on this machine',
      ask: (_member, round) => asked(204, 'POST', `/domains/${domain(round)}`),
      claims: ['domain'],
      applied: ['webspace', 'ingressRoute'],
    },
    {
      what: 'DELETE …/domains/{domain}',
      ask: (_member, round) => asked(204, 'DELETE', `/domains/${domain(round)}`),
      claims: ['domain'],
      applied: ['webspace', 'ingressRoute'],
    },
  ];
  const times = changes.map(() => ({ asked: [] as number[], bare: [] as number[] }));
  // Of each kind one after the other, so that what is added is removed again.
  for (let round = -WARM_UP; round < options.count; round++) {
    for (const [i, change] of changes.entries()) {
      const bareMs = await bare.run(change);
      const askedMs = await change.ask(member, round);
      if (round < 0) continue;
      times[i]?.bare.push(bareMs);
      times[i]?.asked.push(askedMs);
    }
  }
  report(
    'changes, and the writes they need by bare calls one after the other',
    changes.map(({ what, claims, applied }, i): Line => {
      const { median, p99, count } = summaryOf(times[i]?.asked ?? []);
      const raw = summaryOf(times[i]?.bare ?? []).median;
      const kubernetes = 2 + claims.length + applied.length;
      return {
        what,
        value: median,
        unit: 'ms',
        count,
        p99,
        raw,
        ratio: median / raw,
        difference: median - raw,
        note: `bare: LXD 2, Kubernetes ${kubernetes}`,
      };
    }),
  );
  await members.delete(member);
  await bare.close();
}

/** The calls alone, on an instance and objects that are no webspace's. */
class BareCalls {
  #round = 0;

  private constructor(
    private readonly stage: Stage,
    private readonly kube: KubernetesClient,
    private readonly name: string,
  ) {}

  static async open(stage: Stage): Promise<BareCalls> {
    const name = stage.raw.nextName();
    await stage.raw.create(name);
    return new BareCalls(stage, new KubernetesClient({ kubeconfig: stage.lab.kubeconfigAdmin, namespace: NAMESPACE }), name);
  }

  /** Milliseconds. What a change deletes is counted as what it creates: both are one write. */
  async run({ claims, applied }: Pick<Change, 'claims' | 'applied'>): Promise<number> {
    const { kube, name } = this;
    const record = exampleRecord({ http: { port: 8000 + (++this.#round & 1), startupDelaySeconds: 3, sniPassthrough: false } });
    const objects = this.#objects(record);
    const made: { kind: KindName; name: string }[] = [];
    const ms = await timed(async () => {
      await kube.create('lease', { metadata: { name }, spec: { holderIdentity: 'bench' } });
      for (const kind of claims) {
        const object = this.#claim(kind);
        made.push({ kind, name: object.metadata.name });
        await kube.create(kind, object);
      }
      const { etag } = await this.stage.lxd.instances.get(name);
      await this.stage.lxd.instances.patchConfig(name, { [`${RECORD_KEY}.bench`]: serialiseRecord(record) }, { etag });
      for (const kind of applied) await kube.apply(kind, objects(kind));
      await kube.delete('lease', name, {});
    });
    for (const { kind, name: claim } of made) await kube.delete(kind, claim, {});
    return ms;
  }

  async close(): Promise<void> {
    for (const kind of ['webspace', 'service', 'endpointSlice', 'ingressRoute'] as const) await this.kube.delete(kind, this.name, {});
    await this.kube.close();
  }

  #claim(kind: KindName): NewObject {
    const claimant = { webspace: this.name, uid: this.name, operation: 'bench' };
    if (kind === 'domain') return { metadata: { name: 'bare.example.org' }, spec: { host: 'bare.example.org', ...claimant } };
    return { metadata: { name: 'tcp-1' }, spec: { protocol: 'tcp', external: 1, internal: INTERNAL_PORT, ...claimant } };
  }

  #objects(record: WebspaceRecord): (kind: KindName) => NewObject {
    const { baseDomain, network } = this.stage.lab.profile;
    const platform = { baseDomain, entryPoint: 'websecure', network: network.bridge } as Platform;
    const desired = desiredObjects(this.name, record, 'gateway', platform);
    return (kind) => {
      if (kind === 'webspace') return { metadata: { name: this.name }, spec: webspaceSpec(record, platform) };
      const object = desired.find((one) => one.kind === kind);
      if (!object) throw new Error(`no ${kind} among the objects of a webspace`);
      const { kind: _kind, metadata, ...content } = object;
      // Without labels: no sweep takes them for a webspace's.
      return { ...content, metadata: { name: metadata.name } };
    };
  }
}
