import { describe, expect, test } from '@jest/globals';
import type { RunPlan, RunView } from '#libs/contracts/upgrades.js';
import { detailsOf } from './details.js';
import type { Recorded } from './run-record.js';

const of = { wanted: 'lxd:2', planLines: () => [], imageName: (image: string) => image } as unknown as Recorded<RunPlan, unknown>;
const step = (way: 'forth' | 'back') => ({ step: { id: '1' }, way, text: 'delete pods', state: 'failed' });

function headline(phase: string, ways: readonly ('forth' | 'back')[]): string | undefined {
  const view = { cluster: 'lab', phase, differences: [], refusals: [], plans: [], table: [], steps: ways.map(step) };
  return detailsOf(of, view as unknown as RunView<RunPlan, unknown>, []).split('\n')[0];
}

describe('what Temporal UI says first', () => {
  test('is the phase', () => {
    expect(headline('failed-step', ['forth'])).toBe('**lab** to lxd:2: **failed-step**');
    expect(headline('going-back', ['forth', 'back'])).toBe('**lab** to lxd:2: **going-back**');
  });

  test('and of a step that failed on the way back, that it did', () => {
    expect(headline('failed-step', ['forth', 'back'])).toBe('**lab** to lxd:2: **failed-step**, on the way back');
  });
});
