import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { LabProcess } from '../process.js';
import type { Profile } from '../profile.js';
import { projectRoot } from '../project.js';
import type { Web } from './lxd-cluster.js';
import { CLUSTER } from './manifests.js';
import type { ObserverTask } from './observer/main.js';
import { type Observation, observationOf, type Sample } from './observer/samples.js';

/** A process that polls the cluster all the time and asks nobody of ours; its samples are in a file. It outlives whoever started it. */
export class Observer {
  private constructor(
    private readonly process: LabProcess,
    private readonly task: ObserverTask,
  ) {}

  static async start(
    profile: Profile,
    { members, webs }: { readonly members: readonly string[]; readonly webs: readonly Web[] },
  ): Promise<Observer> {
    const folder = join(profile.paths.cluster, 'observer');
    mkdirSync(folder, { recursive: true });
    const task: ObserverTask = {
      file: join(folder, 'samples.jsonl'),
      kubeconfig: join(profile.paths.kubeconfigs, 'admin.yaml'),
      namespace: CLUSTER.namespace,
      members,
      volumes: join(profile.paths.cluster, 'volumes'),
      webs,
    };
    const taskFile = join(folder, 'task.json');
    const main = join(projectRoot(), 'dist', 'lab', 'cluster', 'observer', 'main.js');
    const observer = new LabProcess(profile, {
      name: 'observer',
      spec: () => ({ command: process.execPath, args: [main, taskFile], cwd: projectRoot() }),
      healthy: async () => existsSync(task.file) && readFileSync(task.file, 'utf8').includes('\n'),
      readyTimeoutMs: 20_000,
    });
    await observer.stop();
    rmSync(task.file, { force: true });
    writeFileSync(taskFile, JSON.stringify(task));
    await observer.start();
    return new Observer(observer, task);
  }

  /** All that it has seen, in the order of time. */
  samples(): Sample[] {
    const lines = readFileSync(this.task.file, 'utf8').split('\n').slice(0, -1);
    return lines.map((line) => JSON.parse(line) as Sample);
  }

  /** So far; with `since` only from that time on (milliseconds since 1970). */
  observation({ since = 0 }: { readonly since?: number } = {}): Observation {
    const memberOfWeb = Object.fromEntries(this.task.webs.map(({ name, member }) => [name, member]));
    return observationOf(
      this.samples().filter(({ at }) => at >= since),
      memberOfWeb,
    );
  }

  get maxDownAtOnce(): number {
    return this.observation().maxDownAtOnce;
  }

  get quorumLost(): number {
    return this.observation().quorumLost;
  }

  get apiOutageMs(): number {
    return this.observation().apiOutageMs;
  }

  /** Ends the process; what it has seen can still be asked for. */
  async stop(): Promise<Observation> {
    await this.process.stop();
    return this.observation();
  }
}
