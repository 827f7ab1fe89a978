import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { addressCandidates } from '#libs/domain/addresses.js';
import type { Member } from '../support/direct.js';
import { FULL, report, times } from '../support/lab-session.js';
import { RaceLab } from '../support/race-lab.js';
import type { World } from '../support/world.js';

const TIMEOUT_MS = FULL ? 900_000 : 120_000;
let races: RaceLab;
let holder: Member;

beforeAll(async () => {
  races = await RaceLab.open();
  holder = await races.have('running');
}, 180_000);

afterAll(async () => {
  await races.delete(holder);
  await races.close();
});

/** Everything of one webspace: LXD's configuration to the byte, and the resourceVersion of every object; its lock only as far as it is held. */
function everythingOf(world: World, { name }: Member): Record<string, string> {
  const instance = world.instances.get(name);
  const objects = world.objects.filter(
    ({ kind, metadata, spec }) =>
      kind !== 'Lease' && (metadata.labels?.['webspaces.netsoc.ie/webspace'] === name || spec?.['webspace'] === name),
  );
  return {
    instance: JSON.stringify([instance?.status, instance?.config, instance?.expanded_devices]),
    ...Object.fromEntries(objects.map(({ kind, metadata }) => [`${kind}/${metadata.name}`, `${metadata.uid} ${metadata.resourceVersion}`])),
  };
}

/** Somebody who would take what the holder has, and what must become of their creation. */
interface Intruder {
  readonly who: Member;
  readonly uid: string;
  readonly succeeds: boolean;
}

const INTRUDERS: Readonly<Record<string, () => Intruder>> = {
  'the name of one that exists': () => ({ who: holder, uid: randomUUID(), succeeds: false }),
  'the host name of one that exists': () => ({ who: { ...races.member(), username: holder.username }, uid: randomUUID(), succeeds: false }),
  'the address of one that exists': () => ({ who: races.member(), uid: uidThatWants(addressOf(holder)), succeeds: true }),
};

let world: World;
const addressOf = ({ name }: Member) =>
  String(world.objects.find((o) => o.kind === 'Webspace' && o.metadata.name === name)?.spec?.['address']);

/** A uid whose first candidate is that address. */
function uidThatWants(address: string): string {
  for (;;) {
    const uid = randomUUID();
    if (addressCandidates(races.lab.profile.network.staticRange, uid).next().value === address) return uid;
  }
}

describe.each(Object.entries(INTRUDERS))('a creation that would take %s', (what, intrude) => {
  async function attempt(
    disturb: (index: number, started: Awaited<ReturnType<typeof races.direct.create>>) => Promise<void>,
    index: number,
  ) {
    world = await races.worlds.next();
    const before = everythingOf(world, holder);
    const { who, uid, succeeds } = intrude();
    const started = await races.direct.create(who, { uid, boot: index % 2 === 0 });
    await disturb(index, started);
    const outcome = await races.end(started);
    if (who.name !== holder.name) {
      expect(await races.becomes(who, 'either')).toBe(outcome.is === 'completed' ? 'whole' : 'nothing');
      if (outcome.is === 'completed') await races.delete(who);
    }
    expect(everythingOf(await races.worlds.next(), holder)).toEqual(before);
    await races.becomes(holder, 'whole', 5_000);
    return { outcome, succeeds };
  }

  test('is refused, or finds another, and leaves the one that exists as it is, to the byte', async () => {
    const { outcome, succeeds } = await attempt(async () => undefined, 0);
    expect([outcome.is, outcome.is === 'completed' ? '' : outcome.code]).toEqual(succeeds ? ['completed', ''] : ['failed', 'CONFLICT']);
  }, 60_000);

  test(
    'also when it is cancelled at any moment',
    async () => {
      const rounds = times({ short: 1, full: 60 });
      for (let i = 0; i < rounds; i++) {
        await attempt(async (_index, started) => {
          await sleep(races.random.upTo(250));
          await races.direct.cancel(started);
        }, i);
      }
      report(`cancelled creations that would take ${what}`, String(rounds));
    },
    TIMEOUT_MS,
  );

  test(
    'also when the worker is killed in it',
    async () => {
      const rounds = times({ short: 1, full: 10 });
      for (let i = 0; i < rounds; i++) {
        await attempt(async () => {
          await sleep(races.random.upTo(200));
          await races.lab.process('worker').kill('SIGKILL');
          await races.lab.process('worker').start();
        }, i);
      }
      report(`worker killed in creations that would take ${what}`, String(rounds));
    },
    TIMEOUT_MS,
  );
});
