import { expect, test } from '@jest/globals';
import type { Cluster } from './deps.js';
import { type RunningPod, readMembers } from './read-members.js';

const NAMES = ['lxd-0', 'lxd-1', 'lxd-2'];
const pods = NAMES.map(
  (name) => ({ name, uid: name, phase: 'Running', ready: name === 'lxd-0' ? 'yes' : 'no', deleting: 'no' }) as RunningPod,
);
const versions = { schema: 60, apiExtensions: 318 };
const known = NAMES.map((name) => ({
  ...{ name, pod: name, address: `${name}.lxd:8443`, architecture: 'x86_64', database: 'voter' as const },
  ...{ evacuated: 'no' as const, instancesRunning: 0, versions },
}));

/** Of members that all wait, of whom nobody can be asked more than what is remembered. */
async function answers(votes: Readonly<Record<string, 'yes' | 'no' | 'unknown'>>) {
  const asked: string[] = [];
  const cluster = {
    config: { name: 'lab' },
    remembered: { members: async () => ({ serverVersion: '5.0.2', members: known }) },
    lxd: {
      look: async () => ({ answers: 'waiting' }),
      votes: async ({ name }: RunningPod, address: string) => {
        asked.push(address);
        return votes[name];
      },
    },
  } as unknown as Cluster;
  const { members } = await readMembers(cluster, pods, new AbortController().signal);
  return { asked, answers: members.map(({ answers: is }) => is) };
}

test('a member that waits and whose database does not answer is silent; where that is not known it waits', async () => {
  const found = await answers({ 'lxd-0': 'yes', 'lxd-1': 'no', 'lxd-2': 'unknown' });
  expect(found.answers).toEqual(['waiting', 'silent', 'waiting']);
  expect(found.asked).toEqual(NAMES.map((name) => `${name}.lxd:8443`));
});
