import { type Lab, startLab } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import { audit } from './audit.js';
import { Direct, type Member, member, type Outcome, type Started } from './direct.js';
import { nothingMoreThanNow } from './instances.js';
import { report } from './lab-session.js';
import { Random } from './random.js';
import { Worlds } from './worlds.js';

/** Far from the accounts of other tests. */
let nextMember = 500_000 + (Math.floor(Date.now() / 1_000) % 1_000_000) * 1_000;

/** The lab for races: members without accounts, operations started directly, and what became of them. */
export class RaceLab {
  readonly worlds: Worlds;
  readonly random: Random;

  private constructor(
    readonly lab: Lab,
    readonly direct: Direct,
    private readonly assertNothingMore: () => Promise<void>,
  ) {
    this.worlds = new Worlds(lab);
    this.random = new Random(Number(process.env['WEBSPACES_SEED'] ?? Date.now() % 1e9));
    report('seed (WEBSPACES_SEED)', String(this.random.seed));
  }

  static async open(): Promise<RaceLab> {
    const lab = await startLab({ profile: 'test' });
    const races = new RaceLab(lab, new Direct(lab), await nothingMoreThanNow(lab));
    await waitFor('new claims to be allowed', () => lab.kubectl(['-n', 'webspaces', 'get', 'configmap', 'claims-epoch']), {
      timeoutMs: 60_000,
      intervalMs: 500,
    });
    return races;
  }

  async close(): Promise<void> {
    await this.direct.close();
    await this.assertNothingMore();
  }

  member(): Member {
    return member(nextMember++);
  }

  /** A whole webspace. */
  async have(state: 'stopped' | 'running', who = this.member()): Promise<Member> {
    const outcome = await this.end(await this.direct.create(who, { boot: state === 'running' }));
    if (outcome.is !== 'completed') throw new Error(`${who.name} could not be made: ${outcome.message}`);
    await this.becomes(who, 'whole');
    return who;
  }

  end(started: Started, timeoutMs = 120_000): Promise<Outcome> {
    return this.direct.outcome(started, timeoutMs);
  }

  /** Deletes, and again when there was nothing yet to delete; gives how long the one that found something took. */
  async delete(who: Member): Promise<number> {
    const began = Date.now();
    const outcome = await this.end(await this.direct.run('delete', who));
    if (outcome.is !== 'completed') throw new Error(`delete of ${who.name}: ${outcome.is} ${outcome.code} ${outcome.message}`);
    return Date.now() - began;
  }

  /** Waits until the webspace is so; the error says why it is not. */
  async becomes(who: Member, wanted: 'whole' | 'nothing' | 'either', timeoutMs = 20_000): Promise<'whole' | 'nothing'> {
    const verdict = await this.worlds.verdict(who.name, timeoutMs);
    if (verdict.is === 'wrong' || (wanted !== 'either' && verdict.is !== wanted)) {
      throw new Error(`${who.name} is ${verdict.is}, not ${wanted}: ${verdict.problems.join('; ')}`);
    }
    return verdict.is;
  }

  /** Nothing may be under way: everything in LXD against everything in Kubernetes. */
  async orphans(): Promise<string[]> {
    return audit(await this.worlds.next());
  }

  /** Rounds of a race, a few at a time; every failure is told, not only the first. */
  async rounds(count: number, lanes: number, round: (index: number) => Promise<void>): Promise<void> {
    const failures: string[] = [];
    let next = 0;
    await Promise.all(
      Array.from({ length: lanes }, async () => {
        for (let index = next++; index < count; index = next++) {
          await round(index).catch((error: unknown) =>
            failures.push(`round ${index}: ${error instanceof Error ? error.message : String(error)}`),
          );
        }
      }),
    );
    if (failures.length > 0) throw new Error(`seed ${this.random.seed}, ${failures.length} of ${count} rounds:\n${failures.join('\n')}`);
  }
}
