import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { run } from '#lab/exec.js';
import { type Lab, PROCESS_NAMES, startLab } from '#lab/harness.js';
import { createProfile } from '#lab/profile.js';
import { removeLab } from '#lab/removal.js';
import { Stack } from '#lab/stack.js';
import { waitFor } from '#lab/wait.js';

const INSTANCE = 'lab-probe';
const TABLE = 'webspaces_lab_probe';
let lab: Lab;
let address: string;
const forwarding = () => readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8');
const forwardingBefore = forwarding();

beforeAll(async () => {
  lab = await startLab();
  address = lab.profile.network.staticRange.to;
  await lab.lxc(['init', 'hello', INSTANCE, '-q', '-d', `eth0,ipv4.address=${address}`]);
  await countStrayPackets();
}, 180_000);

afterAll(async () => {
  await lab.up();
  await lab.lxc(['delete', '-f', INSTANCE]);
  await run('nft', ['delete', 'table', 'inet', TABLE]);
}, 60_000);

/** Everything for the lab's subnets that would leave by another device than the lab's own. */
async function countStrayPackets(): Promise<void> {
  const { containerSubnet, linkSubnet, hostLink } = lab.profile.network;
  const chain = (hook: string) =>
    `chain ${hook} { type filter hook ${hook} priority 0; ip daddr @lab oifname != { "${hostLink.device}", "lo" } counter; }`;
  const set = `set lab { type ipv4_addr; flags interval; elements = { ${containerSubnet}, ${linkSubnet} } }`;
  await run('nft', ['-f', '-'], { input: `table inet ${TABLE} {\n${set}\n${chain('output')}\n${chain('postrouting')}\n}\n` });
}

async function strayPackets(): Promise<number> {
  const rules = await run('nft', ['list', 'table', 'inet', TABLE]);
  const counts = [...rules.matchAll(/counter packets (\d+)/g)].map((match) => Number(match[1]));
  expect(counts).toHaveLength(2);
  return counts.reduce((sum, count) => sum + count, 0);
}

/** curl's exit code 7 is a refused connection, 28 a connection that hung. */
async function curl(url: string): Promise<{ exitCode: number; seconds: number; body: string }> {
  const script = 'body=$(curl -s -m 10 "$0"); code=$?; echo "$code"; echo "$body"';
  const begin = Date.now();
  const [exitCode = '', ...body] = (await run('sh', ['-c', script, url])).split('\n');
  return { exitCode: Number(exitCode), seconds: (Date.now() - begin) / 1000, body: body.join('\n') };
}

/** At once, or with the second SYN while the kernel still believes in what has just gone. */
async function refused(host: string): Promise<void> {
  const { exitCode, seconds } = await curl(`http://${host}/`);
  expect(exitCode).toBe(7);
  expect(seconds).toBeLessThan(2);
}

const served = () =>
  waitFor('the container', async () => (await curl(`http://${address}/cgi-bin/request`)).exitCode === 0, { timeoutMs: 10_000 });

describe('the network of the lab', () => {
  test('lets the host reach a container at its fixed address, which sees the host as its client', async () => {
    await lab.lxc(['start', INSTANCE]);
    await served();
    const { body } = await curl(`http://${address}/cgi-bin/request`);
    expect(body).toContain(`container ${INSTANCE}`);
    expect(body).toContain(lab.profile.network.hostLink.host);
  });

  test('lets no container open a connection to the host, nor to anywhere else', async () => {
    const dial = (host: string, port: number) => lab.lxc(['exec', INSTANCE, '--', 'nc', '-w', '2', host, String(port), '-e', '/bin/true']);
    const dnsOfTheBridge = lab.profile.network.bridgeAddress.split('/')[0] ?? '';
    await dial(dnsOfTheBridge, 53);
    await expect(dial(lab.profile.network.hostLink.host, lab.profile.ports.traefik)).rejects.toThrow();
    await expect(dial('192.0.2.99', 80)).rejects.toThrow();
  });

  test('refuses a container that is gone, and an address nobody has, within two seconds', async () => {
    await lab.lxc(['stop', '-f', INSTANCE]);
    await refused(address);
    await refused(lab.profile.network.staticRange.from);
  });

  test('refuses what belongs to a killed sandbox within two seconds, and comes back with it', async () => {
    await lab.process('sandbox').kill('SIGKILL');
    await refused(address);
    await lab.up();
    await lab.lxc(['start', INSTANCE]);
    await served();
  }, 60_000);

  test('sent nothing for its subnets by the default route meanwhile, and left forwarding as it was', async () => {
    expect(await strayPackets()).toBe(0);
    expect(forwarding()).toBe(forwardingBefore);
  });
});

describe('starting again', () => {
  test.each(PROCESS_NAMES)(
    'after kill -9 of %s brings everything back and restarts nothing healthy that does not depend on it',
    async (name) => {
      const before = new Map(PROCESS_NAMES.map((other) => [other, lab.process(other).pid()]));
      await lab.process(name).kill('SIGKILL');
      await lab.up();
      const healthy = await Promise.all(PROCESS_NAMES.map((other) => lab.process(other).healthy()));
      expect(healthy).toEqual(PROCESS_NAMES.map(() => true));
      const restarted = PROCESS_NAMES.filter((other) => lab.process(other).pid() !== before.get(other));
      expect(restarted).toEqual(name === 'sandbox' ? ['sandbox', 'lxd'] : [name]);
    },
    60_000,
  );

  test('changes nothing when all is well', async () => {
    const before = PROCESS_NAMES.map((name) => lab.process(name).pid());
    await lab.up();
    expect(PROCESS_NAMES.map((name) => lab.process(name).pid())).toEqual(before);
  });

  test('a daemon of LXD that was killed finds its containers running', async () => {
    const pid = async () => (await lab.lxc(['list', INSTANCE, '-f', 'csv', '-c', 'p'])).trim();
    const before = await pid();
    await lab.process('lxd').kill('SIGKILL');
    expect((await curl(`http://${address}/`)).exitCode).toBe(0);
    await lab.process('lxd').start();
    expect(await pid()).toBe(before);
  }, 60_000);
});

describe('removing', () => {
  test('a lab with a running container leaves nothing, also what was never recorded', async () => {
    const profile = createProfile({ name: 'removal', index: 9 });
    const stack = new Stack(profile, lab.stack.tools, { apps: 'none', temporalInMemory: true });
    try {
      await stack.up();
      const env = { PATH: '/usr/bin:/bin', HOME: profile.paths.state, LXD_DIR: profile.paths.lxd };
      await run('lxc', ['launch', 'hello', 'one', '-q'], { env });
    } finally {
      const { removed, left } = await removeLab(profile);
      expect(left).toEqual([]);
      expect(removed).toContain('process sandbox');
    }
    expect(existsSync(profile.paths.state)).toBe(false);
    expect((await removeLab(profile)).removed).toEqual([]);
  }, 120_000);
});
