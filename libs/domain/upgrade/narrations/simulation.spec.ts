import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { PlanKind } from '../plan.js';
import { planUpgrade } from '../plan.js';
import { narrate } from './narrate.js';
import { BUMPED, desiredOf, NEWER, REBUILT, simulationOf } from './scenarios.js';
import { PROBES, type Simulation } from './simulation.js';

const ROLLS = { type: 'RollingUpdate', partition: 0 } as const;
const ON_DELETE = { type: 'OnDelete' } as const;
const pass = (simulation: Simulation, seconds: number) => {
  for (let left = seconds; left > 0; left -= 1) simulation.tick();
};
const answers = (simulation: Simulation) => simulation.observe().members.map((member) => member.answers);
const bump = (simulation: Simulation, updateStrategy: typeof ROLLS | typeof ON_DELETE) => {
  simulation.apply({ do: 'patch-template', build: BUMPED, probes: PROBES, way: 'statefulset' });
  simulation.apply({ do: 'set-update-strategy', updateStrategy });
};
const blocked = (simulation: Simulation) => {
  bump(simulation, ROLLS);
  pass(simulation, 300);
  return simulation;
};

describe('the simulated cluster does what real pods did', () => {
  const orderedReady = () => simulationOf(3, { podManagementPolicy: 'OrderedReady' });

  test('a rollout that waits for readiness is blocked at its first pod', () => {
    expect(answers(blocked(orderedReady()))).toEqual(['serving', 'serving', 'waiting']);
    expect(answers(blocked(simulationOf(3)))).toEqual(['serving', 'serving', 'waiting']);
  });

  test('OrderedReady: the others deleted one by one, from the highest, it goes on', () => {
    const simulation = blocked(orderedReady());
    simulation.deletePod('lxd-1');
    pass(simulation, 60);
    expect(answers(simulation)).toEqual(['serving', 'waiting', 'waiting']);
    simulation.deletePod('lxd-0');
    pass(simulation, 60);
    expect(answers(simulation)).toEqual(['serving', 'serving', 'serving']);
  });

  test('OrderedReady: the others deleted together, it stays blocked', () => {
    const simulation = blocked(orderedReady());
    simulation.deletePod('lxd-1');
    simulation.deletePod('lxd-0');
    pass(simulation, 600);
    expect(answers(simulation)).toEqual(['waiting', 'silent', 'waiting']);
    expect(
      simulation
        .observe()
        .pods.map(({ name }) => name)
        .sort(),
    ).toEqual(['lxd-0', 'lxd-2']);
  });

  test.each([
    ['OrderedReady', ['silent', 'silent', 'silent']],
    ['Parallel', ['serving', 'serving', 'serving']],
  ] as const)('%s: all deleted together', (podManagementPolicy, expected) => {
    const simulation = simulationOf(3, { podManagementPolicy });
    bump(simulation, ON_DELETE);
    for (const pod of ['lxd-0', 'lxd-1', 'lxd-2']) simulation.deletePod(pod);
    pass(simulation, 600);
    expect(answers(simulation)).toEqual(expected);
  });
});

test('from any cluster that serves or was left blocked, each plan there is ends with all upgraded, and takes no more than it said', () => {
  const start = fc.record({
    members: fc.integer({ min: 1, max: 5 }),
    podManagementPolicy: fc.constantFrom('OrderedReady' as const, 'Parallel' as const),
    updateStrategy: fc.constantFrom(ROLLS, ON_DELETE),
    leader: fc.constantFrom('lxd-0', 'lxd-1', 'lxd-4'),
    evacuated: fc.subarray(['lxd-0', 'lxd-2']),
    instances: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 5, maxLength: 5 }),
    alignment: fc.constantFrom('upwards' as const, 'both' as const),
  });
  const wanted = fc.record({
    probes: fc.constantFrom('lease' as const, 'template' as const),
    instances: fc.constantFrom('stop' as const, 'evacuate' as const),
  });
  fc.assert(
    fc.property(
      start,
      wanted,
      fc.constantFrom(REBUILT, BUMPED, NEWER),
      fc.constantFrom('serving', 'blocked'),
      (options, changes, build, state) => {
        const desired = desiredOf(build, changes);
        const begin = () => {
          const simulation = simulationOf(options.members, options);
          return state === 'blocked' && build !== REBUILT ? blocked(simulation) : simulation;
        };
        const planned = planUpgrade(begin().observe(), desired);
        const kinds: PlanKind[] = planned.is === 'plans' ? planned.plans.map(({ kind }) => kind) : [];
        expect(planned.is === 'nothing-to-do' || kinds.length > 0).toBe(true);
        for (const kind of kinds) {
          const { plan, seen, end, lines } = narrate({ simulation: begin(), desired, kind, shuffle: (observed) => observed });
          expect(lines.filter((line) => line.includes('failed:'))).toEqual([]);
          expect(end.members.map(({ answers: answer, versions }) => ({ answer, versions }))).toEqual(
            end.members.map(() => ({ answer: 'serving', versions: plan.target.versions })),
          );
          expect(end.pods.every(({ build: runs, probes }) => runs === build && probes.length === 3)).toBe(true);
          expect(end.statefulSet).toMatchObject({
            podManagementPolicy: options.podManagementPolicy,
            updateStrategy: plan.found.updateStrategy,
          });
          if (plan.quorum === 'kept') expect(seen.quorumLostSeconds).toBe(0);
          if (kind === 'rolling') expect(seen.mostDown).toBeLessThanOrEqual(1);
        }
      },
    ),
    { numRuns: 80 },
  );
});
