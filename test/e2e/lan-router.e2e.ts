import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { linkLocalOf, macOf, slaacOf } from '#libs/domain/lan.js';
import { PLACES, type Place, ROUTER, ROUTER6, SUBNET6, tenantAddress } from '../support/router/network.js';
import { RouterWorld } from '../support/router/world.js';

const LAN = { ipv6: { subnet: SUBNET6, router: ROUTER6 } };
const SETTINGS = {
  lan: LAN,
  dns: { upstream: [PLACES.resolver.v4] },
  egress: {
    exempt: ['ws-u2'],
    refused: ['198.51.100.99', '2001:db8:ff:99::/64'],
    allowed: [{ to: '10.96.0.1', protocol: 'tcp', ports: { from: 443, to: 443 } }],
  },
  outside: { open: ['tcp/8082'] },
};
const REFUSED = ['ECONNREFUSED', 'EHOSTUNREACH', 'EACCES'];

let world: RouterWorld;
beforeAll(async () => {
  world = await RouterWorld.make({ tenants: 3, routers: 1 });
  for (const n of [1, 2]) await world.publish(`ws-u${n}`, tenantAddress(n));
  await world.router().start(SETTINGS);
  await world.router().ready();
  for (const n of [1, 2]) await world.lease(world.tenant(n));
  // Until its uniqueness is proved the kernel sends nothing from an address.
  const address6 = async (n: number) =>
    (await world.tenant(n).run(['ip', '-6', 'address', 'show', 'dev', 'eth0', 'scope', 'global', '-tentative'])).includes('fd57');
  await waitFor('IPv6 addresses', async () => (await address6(1)) && (await address6(2)), { timeoutMs: 30_000 });
}, 180_000);
afterAll(() => world?.close(), 60_000);

/** The kernel sends one host six refusals by ICMP at once, then one each second (net.ipv4.icmp_ratelimit). */
const udpRefused = (host: string, port: number) =>
  waitFor(`UDP to ${host} to be refused`, async () => REFUSED.includes(await world.tenant(1).udp(host, port, 1_000)), {
    timeoutMs: 15_000,
  });

const address6Of = (n: number) => slaacOf(SUBNET6, macOf(tenantAddress(n)));

describe('row 68: DHCP', () => {
  it('gives a webspace its own address for ever, with router, resolver, domain and MTU', async () => {
    expect(await world.lease(world.tenant(1), 'something-else')).toMatchObject({
      ip: tenantAddress(1),
      mask: '16',
      router: ROUTER,
      dns: ROUTER,
      domain: 'webspace',
      hostname: 'ws-u1',
      lease: '4294967295',
      mtu: '1450',
    });
  });

  it('gives a stranger an address of the pool', async () => {
    const { ip = '', lease } = await world.lease(world.tenant(3), 'stranger');
    expect(ip).toMatch(/^172\.24\.(19[2-9]|2[0-4]\d|25[0-3])\.\d+$/);
    expect(lease).toBe('7200');
  });

  it('keeps leases over a restart, also of one that was killed together with its dnsmasq', async () => {
    const before = await world.lease(world.tenant(3), 'stranger');
    const { dnsmasq } = await world.router().status();
    await world.router().kill('SIGKILL');
    process.kill(dnsmasq.pid ?? 0, 'SIGKILL');
    await world.router().start(SETTINGS);
    await world.router().ready();
    expect(readFileSync(join(world.router().stateFolder, 'leases'), 'utf8')).toContain(before['ip'] ?? 'none');
    expect((await world.lease(world.tenant(3), 'stranger'))['ip']).toBe(before['ip']);
  }, 60_000);

  it('advertises itself as the router of IPv6, with an address that any router takes over', async () => {
    const routes = await world.tenant(1).run(['ip', '-6', 'route', 'show', 'default']);
    expect(routes).toMatch(/^default via fe80::1 dev eth0/);
    expect(await world.tenant(1).run(['ip', '-6', 'address', 'show', 'dev', 'eth0'])).toContain(address6Of(1));
    expect(linkLocalOf(macOf(tenantAddress(1)))).toMatch(/^fe80::57:/);
  });
});

describe('row 69: DNS', () => {
  it.each([
    ['a webspace by its name and domain', 'ws-u2.webspace', 'A', [tenantAddress(2)]],
    ['a webspace by its bare name', 'ws-u2', 'A', [tenantAddress(2)]],
    ['a webspace over IPv6', 'ws-u2.webspace', 'AAAA', () => [address6Of(2)]],
    ['what a client of the pool calls itself', 'stranger.webspace', 'A', expect.arrayContaining([expect.stringMatching(/^172\.24\./)])],
    ['a name at the outside, by way of the configured resolver', 'example.org', 'A', [PLACES.internet.v4]],
    ['the router', 'router.webspace', 'A', [ROUTER]],
    ['nothing for a name of the LAN that nobody has', 'nobody.webspace', 'A', 'NXDOMAIN'],
    ['not what is left of a name given up by a client', 'something-else.webspace', 'A', 'NXDOMAIN'],
  ])('tells %s', async (_what, name, type, wanted) => {
    expect(await world.tenant(1).ask(ROUTER, name, type)).toEqual(typeof wanted === 'function' ? wanted() : wanted);
    expect(await world.tenant(1).ask(ROUTER6, name, type)).toEqual(typeof wanted === 'function' ? wanted() : wanted);
  });

  it('knows a new webspace at once, and forgets one that goes at once, with its lease', async () => {
    const { reloads, starts } = (await world.router().status()).dnsmasq;
    await world.publish('ws-u3', tenantAddress(3));
    const told = (wanted: unknown) => async () => {
      const answer = await world.tenant(1).ask(ROUTER, 'ws-u3.webspace');
      return JSON.stringify(answer) === JSON.stringify(wanted);
    };
    await waitFor('its name', told([tenantAddress(3)]), { timeoutMs: 3_000 });
    expect(await world.lease(world.tenant(3))).toMatchObject({ ip: tenantAddress(3), hostname: 'ws-u3' });
    await world.unpublish('ws-u3');
    await waitFor('its name to be free', told('NXDOMAIN'), { timeoutMs: 3_000 });
    expect(readFileSync(join(world.router().stateFolder, 'leases'), 'utf8')).not.toContain(tenantAddress(3));
    const after = (await world.router().status()).dnsmasq;
    expect(after.starts).toBe(starts);
    expect(after.reloads).toBeGreaterThan(reloads);
  }, 30_000);

  it('reports two webspaces with one address; the older keeps it', async () => {
    await world.publish('ws-u4', tenantAddress(1));
    const conflict = await waitFor('the conflict', async () => (await world.router().status()).conflicts[0], { timeoutMs: 5_000 });
    expect(conflict).toMatchObject({ name: 'ws-u4', address: tenantAddress(1), reason: "it is ws-u1's" });
    expect(await world.tenant(1).ask(ROUTER, 'ws-u4.webspace')).toBe('NXDOMAIN');
    expect(await world.router().metric('webspaces_kuberouter_conflicts')).toBe(1);
    await world.unpublish('ws-u4');
    await waitFor('no conflict', async () => (await world.router().status()).conflicts.length === 0, { timeoutMs: 5_000 });
  }, 30_000);
});

describe('row 70: who may reach what at the outside', () => {
  const outside = (place: Place, family: 4 | 6) => PLACES[place][family === 4 ? 'v4' : 'v6'];

  it.each([4, 6] as const)(
    'lets containers out over IPv%s, as the router, to any port but closed ones',
    async (family) => {
      const there = outside('internet', family);
      const router = family === 4 ? '192.0.2.11' : '2001:db8:0:1::11';
      const one = world.tenant(1);
      expect(await one.tcp(there, 443)).toBe(`open you are ${router}`);
      expect(await one.udp(there, 123)).toBe(`open you are ${router}`);
      expect([await one.tcp(there, 465), await one.tcp(there, 587)]).toEqual([`open you are ${router}`, `open you are ${router}`]);
      expect(await one.tcp(there, 25)).toBe('ECONNREFUSED');
      expect(await world.tenant(2).tcp(there, 25)).toBe(`open you are ${router}`);
    },
    60_000,
  );

  const refusedPlaces = (Object.keys(PLACES) as Place[]).filter((place) => place !== 'internet' && place !== 'resolver');
  it.each(refusedPlaces.flatMap((place) => ([4, 6] as const).map((family): [Place, 4 | 6] => [place, family])))(
    'refuses %s over IPv%s at once, and counts it',
    async (place, family) => {
      const there = outside(place, family);
      const before = await world.router().refused('private');
      const begun = performance.now();
      expect(await world.tenant(1).tcp(there, 80)).toBe('ECONNREFUSED');
      expect(performance.now() - begun).toBeLessThan(1_000);
      await udpRefused(there, 123);
      expect(await world.router().refused('private')).toBeGreaterThanOrEqual(before + 2);
    },
    60_000,
  );

  it('lets through what is configured of a private network, and nothing beside it', async () => {
    expect(await world.tenant(1).tcp('10.96.0.1', 443)).toBe('open you are 192.0.2.11');
    expect(await world.tenant(1).tcp('10.96.0.1', 6443)).toBe('ECONNREFUSED');
  });
});

describe('row 70: who may reach what on the LAN', () => {
  it.each([
    ['the router’s health', ROUTER, 8185],
    ['SSH of the router', ROUTER, 22],
    ['the router at its outside address', '192.0.2.11', 8185],
    ['the router over IPv6', ROUTER6, 8185],
    ['the router at its link-local address', 'fe80::1%eth0', 8185],
  ])('refuses %s', async (_what, host, port) => {
    const before = await world.router().refused('router');
    expect(await world.tenant(1).tcp(host, port)).toBe('ECONNREFUSED');
    expect(await world.router().refused('router')).toBe(before + 1);
  });

  it('refuses another container, and the LXD member, that is asked for by way of the router', async () => {
    const one = world.tenant(1);
    await world.tenant(2).do('serve', { tcp: [80], udp: [] });
    const before = await world.router().refused('container');
    for (const there of [tenantAddress(2), '172.24.0.1']) {
      await one.ip(`route replace ${there}/32 via ${ROUTER}`);
      expect(await one.tcp(there, there === '172.24.0.1' ? 8443 : 80)).toBe('ECONNREFUSED');
      await one.ip(`route delete ${there}/32`);
    }
    expect(await world.router().refused('container')).toBe(before + 2);
  });

  it('refuses another container over IPv6, too', async () => {
    const one = world.tenant(1);
    const there = address6Of(2);
    const before = await world.router().refused('container');
    await one.ip(`route replace ${there}/128 via fe80::1 dev eth0`);
    expect(await one.tcp(there, 80)).toBe('ECONNREFUSED');
    await one.ip(`route delete ${there}/128`);
    expect(await world.router().refused('container')).toBe(before + 1);
  });

  it.each([
    ['NTP of the router', ROUTER, 123],
    ['NTP of the router over IPv6', ROUTER6, 123],
    ['the underlay at the router', '192.0.2.11', 4789],
    ['a forwarded port at the router', ROUTER, 50_000],
  ])('refuses UDP to %s', async (_what, host, port) => {
    const before = await world.router().refused('router');
    await udpRefused(host, port);
    expect(await world.router().refused('router')).toBeGreaterThan(before);
  });

  it('treats a stranger of the pool as it does webspaces', async () => {
    const stranger = world.tenant(3);
    await world.lease(stranger, 'stranger');
    expect(await stranger.tcp(PLACES.internet.v4, 443)).toMatch(/^open/);
    const tries = [
      [PLACES['private 10/8'].v4, 80],
      [PLACES['metadata and link-local'].v4, 80],
      [PLACES.internet.v4, 25],
      [ROUTER, 8185],
    ] as const;
    for (const [host, port] of tries) expect(await stranger.tcp(host, port)).toBe('ECONNREFUSED');
  });

  it('answers ping at its own address', async () => {
    for (const there of [ROUTER, ROUTER6]) await world.tenant(1).run(['busybox', 'ping', '-c', '1', '-W', '2', there]);
  });

  it('drops sources that are not of the LAN', async () => {
    const one = world.tenant(1);
    const before = await world.router().refused('spoofed');
    await one.ip('address add 203.0.113.66/32 dev eth0', `route add ${PLACES.internet.v4}/32 via ${ROUTER} src 203.0.113.66`);
    try {
      expect(await one.tcp(PLACES.internet.v4, 443, 1_000)).toBe('silent');
    } finally {
      await one.ip(`route delete ${PLACES.internet.v4}/32`, 'address delete 203.0.113.66/32 dev eth0');
    }
    expect(await world.router().refused('spoofed')).toBeGreaterThan(before);
  });
});

describe('row 86: from outside', () => {
  it('only forwarded ports and what is configured answer at the router’s address', async () => {
    const { outside } = world;
    await world.router().netns.do('serve', { tcp: [8082, 8090, 49152, 65535, 49151], udp: [] });
    const open = async (port: number) => (await outside.tcp('192.0.2.11', port)).startsWith('open');
    const ports = [22, 80, 443, 8082, 8090, 49151, 49152, 65535];
    const answers = await Promise.all(ports.map(open));
    expect(ports.filter((_port, at) => answers[at])).toEqual([8082, 49152, 65535]);
    expect(await outside.tcp('192.0.2.11', 8090)).toBe('ECONNREFUSED');
    expect(await world.router().refused('outside')).toBeGreaterThan(0);
  });

  it('no container is reached, whatever route leads to it', async () => {
    const { outside } = world;
    await outside.ip('route replace 172.24.0.0/16 via 192.0.2.11', `route replace ${SUBNET6} via 2001:db8:0:1::11`);
    const before = await world.router().refused('entry');
    expect(await outside.tcp(tenantAddress(2), 80)).toBe('ECONNREFUSED');
    expect(await outside.tcp(address6Of(2), 80)).toBe('ECONNREFUSED');
    expect(await world.router().refused('entry')).toBe(before + 2);
  });
});

describe('with other settings', () => {
  afterAll(async () => {
    await world.router().kill('SIGTERM');
  });

  it('isolation lan lets containers reach each other by way of the router, and not what is configured; a routed prefix leaves as it is', async () => {
    await world.router().kill('SIGTERM');
    await world.router().start({
      ...SETTINGS,
      lan: { ...LAN, isolation: 'lan' },
      egress: { refused: ['172.24.0.1'] },
      outside: { ipv6: 'routed' },
    });
    await world.router().ready();
    const one = world.tenant(1);
    for (const there of [tenantAddress(2), '172.24.0.1']) await one.ip(`route replace ${there}/32 via ${ROUTER}`);
    expect(await one.tcp(tenantAddress(2), 80)).toBe(`open you are ${tenantAddress(1)}`);
    expect(await one.tcp('172.24.0.1', 8443)).toBe('ECONNREFUSED');
    expect(await one.tcp(PLACES.internet.v6, 443)).toBe(`open you are ${address6Of(1)}`);
    expect(await one.tcp(PLACES.internet.v4, 443)).toBe('open you are 192.0.2.11');
    expect(await one.tcp(PLACES['private 10/8'].v6, 80)).toBe('ECONNREFUSED');
  }, 60_000);
});
