import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import { inTurns, type Member } from '../support/members.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

const claim = (key: string) => session.cluster.find('portForward', key);

describe('forwarded ports', () => {
  it('rows 20 and 23: a port of one’s choice is claimed, in the record, and gone again', async () => {
    const { members } = session;
    const [member, other] = members.some(2, 5) as [Member, Member];
    await inTurns([member, other], 2, (one) => members.create(one));
    for (const external of [49_152, 65_535]) await members.expect(201, member, 'POST', `/ports/${external}/80`);
    expect(await members.forwards(member)).toEqual({ 49152: 80, 65535: 80 });
    expect(await claim('tcp-49152')).toMatchObject({ spec: { webspace: member.webspace, external: 49_152, internal: 80 } });
    expect((await members.record(member)).ports).toEqual([49_152, 65_535].map((external) => ({ protocol: 'tcp', external, internal: 80 })));

    for (const path of ['/ports/49151/80', '/ports/0/80', '/ports/50000/0', '/ports/50000/65536', '/ports/x/80', '/ports/x', '/ports/0']) {
      const refused = await members.expect(400, other, 'POST', path);
      expect(refused.json()).toMatchObject({ message: 'invalid port', field: expect.any(String) });
    }
    const taken = await members.expect(409, other, 'POST', '/ports/49152/80');
    expect(taken.json()).toMatchObject({ message: 'used by a webspace', code: 'CONFLICT' });
    expect(await members.forwards(other)).toEqual({});

    await members.expect(204, member, 'DELETE', '/ports/49152');
    expect(await claim('tcp-49152')).toBeUndefined();
    await members.expect(404, member, 'DELETE', '/ports/49152');
    await members.expect(404, other, 'DELETE', '/ports/65535');
    await members.expect(400, other, 'DELETE', '/ports/x');
    await members.expect(201, other, 'POST', '/ports/49152/80');
  }, 60_000);

  it('row 24: the Service has exactly the forwarded ports, also after it was tampered with, and goes with the last', async () => {
    const { cluster, lab, members, sweeps } = session;
    const member = members.one(7);
    const name = `${member.webspace}-ports`;
    const ports = async () => {
      const spec = (await cluster.find('service', name))?.['spec'] as
        | { ports: { name: string; port: number; protocol: string }[] }
        | undefined;
      return spec?.ports.map((port) => [port.name, port.port, port.protocol].join(' ')).sort();
    };
    await members.create(member);
    expect(await ports()).toBeUndefined();
    await members.change(member, {
      ports: {
        add: [
          { external: 50_302, internal: 80 },
          { protocol: 'udp', external: 50_301, internal: 53 },
        ],
      },
    });
    const both = ['tcp-50302 50302 TCP', 'udp-50301 50301 UDP'];
    expect(await ports()).toEqual(both);
    await members.expect(201, member, 'POST', '/ports/50300/22');
    expect(await ports()).toEqual(['tcp-50300 50300 TCP', ...both]);
    await lab.kubectl(['-n', 'webspaces', 'patch', 'service', name, '--type=json', '-p', '[{"op":"remove","path":"/spec/ports/0"}]']);
    await sweeps.run();
    expect(await ports()).toEqual(['tcp-50300 50300 TCP', ...both]);
    const { resourceVersion } = (await cluster.find('service', name))?.metadata ?? {};
    await sweeps.run();
    expect((await cluster.find('service', name))?.metadata.resourceVersion).toBe(resourceVersion);
    await members.expect(204, member, 'DELETE', '/ports/50300');
    expect(await ports()).toEqual(both);
    await members.change(member, { ports: { remove: [{ external: 50_302 }, { protocol: 'udp', external: 50_301 }] } });
    expect(await ports()).toBeUndefined();
    await members.expect(201, member, 'POST', '/ports/50300/22');
    await members.delete(member);
    expect(await members.leftOf(member)).toEqual([]);
  }, 60_000);

  it('row 22: the 65th is refused, and one that is removed makes place', async () => {
    const { members } = session;
    const member = members.one(8);
    await members.create(member);
    const add = Array.from({ length: 64 }, () => ({ internal: 80 }));
    await members.change(member, { ports: { add } });
    const refused = await members.expect(400, member, 'POST', '/ports/80');
    expect(refused.json()).toMatchObject({ message: 'port forward limit reached' });
    const given = Object.keys(await members.forwards(member));
    expect(given).toHaveLength(64);
    const [first] = given;
    await members.expect(204, member, 'DELETE', `/ports/${first}`);
    await members.expect(201, member, 'POST', '/ports/80');
  }, 60_000);

  it('row 21: many who ask for any port at once get different ones', async () => {
    const { members } = session;
    const asking = members.some(10, 10);
    await inTurns(asking, 5, (member) => members.create(member));
    const rounds = times({ short: 2, full: 20 });
    const begun = Date.now();
    const answers = await Promise.all(
      asking.map(async (member) => {
        const ports: number[] = [];
        // One webspace's changes wait for each other; those of different ones do not.
        for (let round = 0; round < rounds; round++)
          ports.push(Number((await members.expect(201, member, 'POST', '/ports/80')).json<{ ePort: number }>().ePort));
        return ports;
      }),
    );
    const ports = answers.flat();
    report(`${ports.length} random ports by ${asking.length} webspaces at once`, `${Date.now() - begun} ms`);
    expect(new Set(ports).size).toBe(asking.length * rounds);
    expect(ports.every((port) => port >= 49_152 && port <= 65_535)).toBe(true);
    for (const [i, member] of asking.entries()) {
      expect(
        Object.keys(await members.forwards(member))
          .map(Number)
          .sort(),
      ).toEqual([...(answers[i] ?? [])].sort());
    }
  }, 300_000);

  it('of two who ask for one port at once exactly one gets it', async () => {
    const { members } = session;
    // Whoever got any port might hold one of these.
    await members.removeAll();
    const [one, two] = members.some(2, 25) as [Member, Member];
    await inTurns([one, two], 2, (member) => members.create(member));
    const rounds = times({ short: 3, full: 1_000 });
    for (let round = 0; round < rounds; round++) {
      const port = 50_100 + round;
      const answers = await Promise.all([one, two].map((member) => members.ask(member, 'POST', `/ports/${port}/80`)));
      expect(answers.map(({ status }) => status).sort()).toEqual([201, 409]);
      const winner = answers[0]?.status === 201 ? one : two;
      expect(await claim(`tcp-${port}`)).toMatchObject({ spec: { webspace: winner.webspace } });
      expect([await members.forwards(one), await members.forwards(two)]).toEqual(
        winner === one ? [{ [port]: 80 }, {}] : [{}, { [port]: 80 }],
      );
      await members.expect(204, winner, 'DELETE', `/ports/${port}`);
    }
  }, 900_000);
});
