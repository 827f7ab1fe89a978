import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KubeClient } from '#lab/kube-client.js';
import { waitFor } from '#lab/wait.js';
import type { Member, Started } from '../support/direct.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';

const ROUNDS = times({ short: 2, full: 200 });
const LANES = 5;
/** A delete may have to wait for a cancelled operation's undo, and then for a container that stops cleanly. */
const BOUND_MS = 45_000;
const OURS = '/apis/webspaces.netsoc.ie/v1alpha1/namespaces/webspaces';

let races: RaceLab;
const deleted: Member[] = [];

beforeAll(async () => {
  races = await RaceLab.open();
}, 180_000);

afterAll(() => races.close());

interface Race {
  /** How long the other operation takes, about: the delete comes somewhere in it. */
  readonly withinMs: number;
  prepare(who: Member): Promise<unknown>;
  start(who: Member): Promise<Started | undefined>;
}

const RACES: Readonly<Record<string, Race>> = {
  create: { withinMs: 500, prepare: async () => undefined, start: (who) => races.direct.create(who) },
  'create and boot': { withinMs: 1_500, prepare: async () => undefined, start: (who) => races.direct.create(who, { boot: true }) },
  boot: { withinMs: 800, prepare: (who) => races.have('stopped', who), start: (who) => races.direct.run('boot', who) },
  reboot: { withinMs: 1_500, prepare: (who) => races.have('running', who), start: (who) => races.direct.run('reboot', who) },
  shutdown: { withinMs: 800, prepare: (who) => races.have('running', who), start: (who) => races.direct.run('shutdown', who) },
  reconcile: {
    withinMs: 150,
    // Something to repair, of which LXD sent no event.
    prepare: async (who) =>
      takeAway(`/apis/traefik.io/v1alpha1/namespaces/webspaces/ingressroutes/${(await races.have('stopped', who)).name}`),
    start: (who) => races.direct.run('reconcile', who),
  },
  sweep: {
    withinMs: 400,
    // Something to restore.
    prepare: async (who) => takeAway(`${OURS}/webspaces/${(await races.have('stopped', who)).name}`),
    start: async () => void races.direct.sweep(),
  },
};

async function takeAway(path: string): Promise<void> {
  await KubeClient.fromKubeconfig(races.lab.kubeconfigAdmin).request('DELETE', path);
}

/** A delete that finds nothing yet came before the creation: it is asked for again when that has ended. */
async function deleteDuring(who: Member, other: Started | undefined): Promise<number> {
  const begun = Date.now();
  const first = await races.end(await races.direct.run('delete', who));
  const tookMs = Date.now() - begun;
  if (other) await races.end(other);
  if (first.is === 'completed') return tookMs;
  if (first.code !== 'NOT_FOUND') throw new Error(`delete of ${who.name}: ${first.is} ${first.code} ${first.message}`);
  return races.delete(who);
}

describe.each(Object.entries(RACES))('a delete during %s', (name, race) => {
  test(
    'ends with nothing, in bounded time',
    async () => {
      let longestMs = 0;
      await races.rounds(ROUNDS, LANES, async () => {
        const who = races.member();
        await race.prepare(who);
        const other = await race.start(who);
        await sleep(races.random.upTo(race.withinMs));
        longestMs = Math.max(longestMs, await deleteDuring(who, other));
        await races.becomes(who, 'nothing', 10_000);
        deleted.push(who);
      });
      report(`delete during ${name}`, `${ROUNDS} rounds, longest ${(longestMs / 1000).toFixed(1)} s`);
      expect(longestMs).toBeLessThan(BOUND_MS);
    },
    FULL ? 1_800_000 : 120_000,
  );
});

test('nothing comes back, whatever events and sweeps look at it', async () => {
  const until = Date.now() + (FULL ? 60_000 : 0);
  const [named = races.member()] = deleted;
  let sweeps = 0;
  await waitFor(
    'the end of events and sweeps',
    async () => {
      // Events about a name that is gone: an instance that is no webspace comes and goes under it.
      await races.lab.lxc(['init', 'hello', named.name, '-q']);
      await races.lab.lxc(['delete', named.name]);
      for (const who of deleted.slice(-20)) await races.end(await races.direct.run('reconcile', who));
      await races.direct.sweep();
      return ++sweeps >= 3 && Date.now() >= until;
    },
    { timeoutMs: 170_000, intervalMs: 500 },
  );
  const names = new Set(deleted.map((who) => who.name));
  const world = await races.worlds.next();
  expect([...world.instances.keys()].filter((name) => names.has(name))).toEqual([]);
  expect(await races.orphans()).toEqual([]);
  report('names that stayed away', `${names.size}, through ${sweeps} sweeps`);
}, 180_000);
