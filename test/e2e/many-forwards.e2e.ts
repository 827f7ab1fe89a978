import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type BesideOptions, type GatewayPortsBeside, gatewayPortsBeside } from '#lab/gateway-ports.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import { EACH, gaugeOf, ManyForwards } from '../support/many-forwards.js';
import { talk } from '../support/ports.js';

const WEBSPACES = times({ short: 16, full: 256 });
const FORWARDS = WEBSPACES * EACH;

let session: Session;
let many: ManyForwards;
let gateway: GatewayPortsBeside;

beforeAll(async () => {
  session = await openSession();
  many = await ManyForwards.open(session.lab);
  // Only one may have the ports and the kernel's table of the router.
  await session.lab.process('gateway-ports').stop();
}, 180_000);
afterAll(async () => {
  await gateway?.process.stop();
  await many?.close();
  await session?.close();
}, 180_000);

async function begin(options: BesideOptions & { readonly listeners?: number } = {}): Promise<void> {
  const ports = { leaseSeconds: 2, ...(options.listeners === undefined ? {} : { listeners: options.listeners }) };
  gateway = gatewayPortsBeside(session.lab.profile, { ...options, sections: { ...many.sections, ports } });
  await gateway.process.restart();
}

const gauge = (name: string) => gaugeOf(session.lab, gateway, name);
const ready = async () => {
  const { status, json } = await http(`${gateway.url}/health/ready`, { timeoutMs: 10_000 });
  return { code: status, ...json<{ warnings: { listeners?: string } }>() };
};
/** How a connection to a forward ends, none of which has a container. */
const visit = async (external: number) =>
  talk(session.lab, external, '').then(
    () => 'answered',
    (error: NodeJS.ErrnoException) => error.code,
  );
const megabytes = () => Math.round(gateway.process.residentBytes() / 2 ** 20);

describe(`${FORWARDS} forwards of ${WEBSPACES} webspaces`, () => {
  it('have a listener each while their webspace is off, also soon after a start, and the kernel has those of the others', async () => {
    await begin();
    const empty = megabytes();
    expect(await many.listeners()).toBe(0);
    await many.make(WEBSPACES);
    const followed = await many.listenersBecome(FORWARDS);
    report(
      `${FORWARDS} forwards`,
      `all have a listener ${Math.round(followed)} ms after the last webspace came; ${megabytes()} MB, ${empty} MB without`,
    );
    expect([await gauge('listeners'), await gauge('without_listener'), await gauge('kernel_entries')]).toEqual([FORWARDS, 0, 0]);
    expect(await visit(49_152)).toBe('ECONNRESET');

    await gateway.process.kill('SIGKILL');
    const begun = performance.now();
    await gateway.process.start();
    const started = performance.now() - begun;
    report(
      'the same after a start',
      `ready after ${Math.round(started)} ms, all listeners after ${Math.round(await many.listenersBecome(FORWARDS, begun))} ms; ${megabytes()} MB`,
    );

    await many.phases(0, WEBSPACES / 2, 'running');
    const taken = await many.listenersBecome(FORWARDS / 2);
    report('half of the webspaces start', `listeners of theirs are gone ${Math.round(taken)} ms later`);
    expect([await gauge('kernel_entries'), await gauge('listeners')]).toEqual([FORWARDS / 2, FORWARDS / 2]);
    await many.phases(0, WEBSPACES / 2, 'stopped');
    report('and stop', `back after ${Math.round(await many.listenersBecome(FORWARDS))} ms`);
    expect(await ready()).toMatchObject({ code: 200, warnings: {} });
  }, 400_000);

  describe('that are more than there may be listeners', () => {
    const logFrom = { length: 0 };
    beforeEach(() => {
      logFrom.length = readFileSync(gateway.process.logFile, 'utf8').length;
    });
    afterEach(async () => {
      await many.phases(0, WEBSPACES, 'stopped');
    }, 60_000);
    const log = () => readFileSync(gateway.process.logFile, 'utf8').slice(logFrom.length);
    const times = (text: string) => log().split(text).length - 1;

    it.each([
      ['by the setting', () => ({ listeners: FORWARDS / 4 }), FORWARDS / 4],
      // 512 are kept for other things, an eighth of the rest for connections.
      ['by the open files of the process', () => ({ openFiles: 1_024 }), 448],
    ])(
      '%s: the rest is refused, told, and served once there is room',
      async (_by, options, most) => {
        await begin(options());
        await many.listenersBecome(most);
        await waitFor('all to be looked at', async () => (await gauge('without_listener')) === FORWARDS - most, { timeoutMs: 30_000 });
        expect([await gauge('listeners'), await gauge('listeners_limit')]).toEqual([most, most]);
        const told = await ready();
        expect(told).toMatchObject({
          code: 200,
          warnings: { listeners: expect.stringContaining(`${FORWARDS - most} because of the limit of ${most}`) },
        });
        expect(times('no more listeners')).toBe(1);

        const externals = Array.from({ length: WEBSPACES }, (_, index) => many.portsOf(index)[0]?.external ?? 0);
        const ends = await Promise.all(externals.map(visit));
        expect([...new Set(ends)].sort()).toEqual(['ECONNREFUSED', 'ECONNRESET']);

        // What the kernel takes over needs no listener any more.
        const running = Math.ceil((FORWARDS - most) / EACH);
        await many.phases(0, running, 'running');
        const left = FORWARDS - running * EACH;
        await many.listenersBecome(left);
        await waitFor('nothing to be missing', async () => (await gauge('without_listener')) === 0, { timeoutMs: 30_000 });
        expect(await ready()).toMatchObject({ code: 200, warnings: {} });
        expect(await visit(externals.at(-1) ?? 0)).toBe('ECONNRESET');
        await waitFor('the log to say so', async () => times('every forward has its listener again') === 1, { timeoutMs: 10_000 });
      },
      300_000,
    );
  });

  it('leave nothing when they go', async () => {
    await begin();
    await many.listenersBecome(FORWARDS);
    const before = megabytes();
    await many.removeAll();
    report('all go', `no listener is left ${Math.round(await many.listenersBecome(0))} ms later; ${megabytes()} MB, ${before} MB before`);
    expect([await gauge('listeners'), await gauge('kernel_entries'), await gauge('without_listener')]).toEqual([0, 0, 0]);
  }, 300_000);
});
