import { beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterLab, startClusterLab } from '#lab/cluster/harness.js';
import { IMAGES } from '#lab/cluster/images.js';
import { BUMP } from '#lab/cluster/manifests.js';
import { waitFor } from '#lab/wait.js';
import { Upgrades } from '../support/cluster-upgrades.js';
import { FULL, report } from '../support/lab-session.js';

interface Seen {
  readonly name: string;
  readonly answers: string;
  readonly versions: { readonly apiExtensions: number };
}

const SIZES = FULL ? [3, 5] : [3];
const POLICIES = FULL ? (['OrderedReady', 'Parallel'] as const) : (['OrderedReady'] as const);
const KINDS = ['lockstep-sequential', 'lockstep-parallel'] as const;

describe.each(SIZES)('%d members', (members) => {
  describe.each(POLICIES)('under %s', (podManagementPolicy) => {
    let cluster: ClusterLab;
    let upgrades: Upgrades;
    let bump = 0;
    beforeAll(async () => {
      const options = { members, probes: 'lease', podManagementPolicy, updateStrategy: 'RollingUpdate' } as const;
      cluster = await startClusterLab({ ...options, nodes: Math.max(...SIZES), cluster: 'anew' });
      upgrades = new Upgrades(cluster);
    }, 900_000);

    /** All agree on the versions, the strategy is as it was found, every pod has its probes. */
    async function endsWell(id: string): Promise<void> {
      await upgrades.reaches(id, 'finished');
      await cluster.agreed(60_000);
      const state = (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<{
        members: { versions: { apiExtensions: number } }[];
        statefulSet: { podManagementPolicy: string; updateStrategy: { type: string } };
        pods: { probes: string[] }[];
      }>();
      expect(new Set(state.members.map(({ versions }) => versions.apiExtensions)).size).toBe(1);
      expect(state.statefulSet).toMatchObject({ podManagementPolicy, updateStrategy: { type: 'RollingUpdate' } });
      expect(state.pods.map(({ probes }) => probes.length)).toEqual(cluster.memberNames.map(() => 3));
    }

    test.each(KINDS)(
      '%s: all members come to the new versions',
      async (kind) => {
        bump += 1;
        const observer = await cluster.observe();
        const id = await upgrades.begin({ image: IMAGES.lxd, environment: { [BUMP]: String(bump) } });
        await upgrades.approve(id, kind);
        await endsWell(id);
        const seen = await observer.stop();
        if (kind === 'lockstep-sequential') expect(seen.quorumLost).toBe(0);
        const { api } = await upgrades.report(id);
        report(
          `${members} members, ${podManagementPolicy}, ${kind}`,
          `LXD's API away for ${api?.seconds} s, expected ${api?.expectedSeconds} s`,
        );
      },
      600_000,
    );

    test('a cluster that somebody else left blocked is brought to its end', async () => {
      bump += 1;
      await cluster.applyStatefulSet({ environment: { [BUMP]: String(bump) } });
      const last = cluster.memberNames.at(-1) ?? '';
      const blocked = async () => {
        const { members: seen } = (await cluster.lab.api('admin', 'GET', '/v2/clusters/lab')).json<{ members: Seen[] }>();
        const member = seen.find(({ name }) => name === last);
        const others = seen.filter(({ name }) => name !== last);
        return member?.answers === 'waiting' && others.every(({ versions }) => versions.apiExtensions < member.versions.apiExtensions);
      };
      await waitFor(`${last} to wait for the others`, blocked, { timeoutMs: 120_000, intervalMs: 500 });
      const id = await upgrades.begin({ image: IMAGES.lxd, environment: { [BUMP]: String(bump) } });
      const { plans } = await upgrades.approve(id, 'lockstep-sequential');
      expect(plans[0]?.kept.map(({ member }) => member)).toContain(last);
      await endsWell(id);
    }, 600_000);
  });
});
