import { describe, expect, test } from '@jest/globals';
import type { Proposal } from '#libs/contracts/upgrade-activities.js';
import { failed, passed, waiting } from '#libs/domain/upgrade/gate-outcomes.js';
import type { GateName, GateOutcome } from '#libs/domain/upgrade/gates.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { TemplateWay } from '#libs/gitops/types.js';
import { ASK_MS, MergedChange, takenBack } from './merged-change.js';

const signal = new AbortController().signal;
const proposal: Proposal = { number: 3, url: 'https://git.example/pull/3', branch: 'webspaces/x', values: [] };
const BLAMED = failed('lxd.yaml has the values no more: carol took them back, by commit c0ffee.', 'Ask carol why.');
const AWAY = new PlatformError('UNAVAILABLE', 'GitHub gave no answer.');

/** A repository that answers as it is set to. */
class Repository {
  answer: 'stands' | 'taken-back' | 'away' = 'stands';
  asked = 0;

  readonly way = {
    read: async (_proposal: Proposal, { shown }: { readonly shown?: GateOutcome } = {}) => {
      this.asked += 1;
      if (this.answer === 'away') throw AWAY;
      if (this.answer === 'taken-back') return BLAMED;
      if (shown === undefined || shown.is === 'passed') return passed('Merged.');
      return shown.is === 'waiting' ? waiting(`Merged, and the cluster does not show it: ${shown.reason} See Flux.`) : shown;
    },
  } as unknown as TemplateWay;
}

function scene(gate: GateName) {
  const repository = new Repository();
  const clock = { ms: 0 };
  const change = new MergedChange({ way: repository.way, proposal }, gate, () => clock.ms);
  return { repository, clock, says: (outcome: GateOutcome) => change.judge(outcome, signal) };
}

const UNSEEN = waiting('StatefulSet lxd still has lxd:1.');

describe('a gate after a merge', () => {
  test('of the template names what has to follow, and asks the repository no oftener than it may', async () => {
    const { repository, clock, says } = scene('template-shown');
    const first = await says(UNSEEN);
    expect(first).toMatchObject({ is: 'waiting', reason: expect.stringMatching(/still has lxd:1.*Flux/) });
    clock.ms += ASK_MS - 1;
    expect(await says(UNSEEN)).toEqual(first);
    expect(repository.asked).toBe(1);
    clock.ms += 1;
    await says(UNSEEN);
    expect(repository.asked).toBe(2);
  });

  test('fails as soon as it is known that somebody took the change back, with who did it', async () => {
    const { repository, clock, says } = scene('template-shown');
    await says(UNSEEN);
    repository.answer = 'taken-back';
    clock.ms += ASK_MS;
    expect(await says(UNSEEN)).toEqual(BLAMED);
  });

  test.each(['template-shown', 'probes-in-pods'] as const)('%s does not pass while the change does not stand', async (gate) => {
    const { repository, says } = scene(gate);
    repository.answer = 'taken-back';
    expect(await says(passed('It shows.'))).toEqual(BLAMED);
    repository.answer = 'away';
    expect(await says(passed('It shows.'))).toMatchObject({ is: 'waiting', progress: AWAY.message });
    repository.answer = 'stands';
    expect(await says(passed('It shows.'))).toMatchObject({ is: 'passed' });
  });

  test('that only the cluster decides about passes without a call, and asks when it has waited for a while', async () => {
    const { repository, clock, says } = scene('members-online');
    repository.answer = 'taken-back';
    const late = waiting('lxd-2 does not serve.');
    expect([await says(passed('All serve.')), await says(late)]).toEqual([passed('All serve.'), late]);
    expect(repository.asked).toBe(0);
    clock.ms += ASK_MS;
    expect(await says(late)).toEqual(BLAMED);
    repository.answer = 'away';
    clock.ms += ASK_MS;
    expect(await says(late)).toEqual(late);
  });
});

describe('before pods are deleted', () => {
  test('it is known who took the change back, and a repository that is away holds up nothing', async () => {
    const repository = new Repository();
    const asked = () => takenBack({ way: repository.way, proposal }, signal);
    expect(await asked()).toBeUndefined();
    repository.answer = 'taken-back';
    expect(await asked()).toMatch(/carol took them back, by commit c0ffee\. Ask carol why/);
    repository.answer = 'away';
    expect(await asked()).toBeUndefined();
  });
});
