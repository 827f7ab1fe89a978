import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { writeAppFiles } from '#lab/apps.js';
import { type Lab, startLab } from '#lab/harness.js';
import { progressOnTerminal } from '#lab/progress.js';
import { Direct, type Member, member } from '../support/direct.js';
import type { Random } from '../support/random.js';
import type { World } from '../support/world.js';
import { Worlds } from '../support/worlds.js';
import { Supervisor } from './supervisor.js';
import { TrapFolder } from './traps.js';

/** The lab, a worker that can be made to die at a chosen point, and members without end. */
export class Stage {
  /** Members whose webspaces former rounds left whole. */
  readonly pool: { readonly stopped: Member[]; readonly running: Member[] } = { stopped: [], running: [] };
  #nextMember = 1_000;

  private constructor(
    readonly lab: Lab,
    readonly worlds: Worlds,
    readonly direct: Direct,
    readonly traps: TrapFolder,
    readonly supervisor: Supervisor,
    readonly random: Random,
  ) {}

  static async up(random: Random): Promise<Stage> {
    const lab = await startLab({ profile: 'crash', apps: 'none', progress: progressOnTerminal(Date.now()) });
    writeAppFiles(lab.profile, lab.stack.targets());
    const folder = join(lab.profile.paths.state, 'traps');
    mkdirSync(folder, { recursive: true });
    const traps = new TrapFolder(folder);
    traps.disarm();
    traps.refuse([]);
    const supervisor = new Supervisor(lab, folder);
    await supervisor.start();
    await lab.process('api').start();
    const stage = new Stage(lab, new Worlds(lab), new Direct(lab), traps, supervisor, random);
    await stage.beginAfterLastMember();
    return stage;
  }

  member(): Member {
    return member(this.#nextMember++);
  }

  world(): Promise<World> {
    return this.worlds.next();
  }

  /** A whole webspace that a later round may delete. */
  keep({ name, expected }: { readonly name: string; readonly expected: string }, who: Member): void {
    if (expected === 'whole') this.pool[name.includes('boot') ? 'running' : 'stopped'].push(who);
  }

  async close(): Promise<void> {
    await this.supervisor.stop();
    await this.direct.close();
  }

  /** A lab that was left running may hold webspaces of an earlier run. */
  private async beginAfterLastMember(): Promise<void> {
    const { instances } = await this.world();
    const taken = [...instances.keys()].map((name) => Number(/^ws-u(\d+)$/.exec(name)?.[1] ?? 0));
    this.#nextMember = Math.max(
      this.#nextMember,
      ...taken.map((id) => id + 1),
      1_000 + (Math.floor(Date.now() / 1_000) % 1_000_000) * 1_000,
    );
  }
}
