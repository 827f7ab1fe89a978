import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { kuberouterConfigSchema } from '#libs/config/kuberouter.js';
import { dnsmasqFiles } from './files.js';
import { formatLeases, parseLeases } from './leases.js';
import { renderConfig, renderNames, renderReservations } from './render.js';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'kuberouter-render-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const ipv6 = { subnet: 'fd57:1:2:3::/64', router: 'fd57:1:2:3::1' };
const render = (settings: object) =>
  renderConfig({ ...kuberouterConfigSchema.parse(settings), files: dnsmasqFiles(join(folder, 'state')), mtu: 1450, user: 'dnsmasq' });

describe('the configuration of dnsmasq', () => {
  test.each([
    ['with all defaults', {}],
    ['with IPv6', { lan: { ipv6 } }],
    ['with resolvers at other ports', { dns: { upstream: ['192.0.2.53:5353', '[2001:db8::53]:5353', '2001:db8::54'] } }],
  ])('is one that dnsmasq takes: %s', (_what, settings) => {
    const file = join(folder, 'candidate');
    writeFileSync(file, render(settings));
    const { status, stderr } = spawnSync('dnsmasq', ['--test', `--conf-file=${file}`], { encoding: 'utf8' });
    expect(stderr).toContain('syntax check OK');
    expect(status).toBe(0);
  });

  test('lets as many leases be as the subnet has addresses: the original stopped at 1 000', () => {
    expect(render({})).toContain('\ndhcp-lease-max=65534\n');
    expect(
      render({ lan: { ipv4: { subnet: '10.9.8.0/24', router: '10.9.8.1', pool: { from: '10.9.8.100', to: '10.9.8.200' } } } }),
    ).toContain('\ndhcp-range=10.9.8.100,10.9.8.200,255.255.255.0,7200\n');
  });

  test('names resolvers as dnsmasq does, and no others', () => {
    const text = render({ dns: { upstream: ['192.0.2.53:5353', '[2001:db8::53]:5353', '2001:db8::54'] } });
    expect(text.match(/^server=.*$/gm)).toEqual(['server=192.0.2.53#5353', 'server=2001:db8::53#5353', 'server=2001:db8::54']);
    expect(text).toContain('\nno-resolv\n');
  });

  test('advertises a router of IPv6 only where the LAN has it', () => {
    expect(render({})).not.toContain('enable-ra');
    expect(render({ lan: { ipv6 } })).toContain('\ndhcp-range=fd57:1:2:3::,ra-only,64,7200\n');
  });
});

test('a reservation is MAC, address and name, for ever', () => {
  expect(renderReservations([{ name: 'ws-u1', address: '172.24.1.5' }])).toBe('02:57:ac:18:01:05,172.24.1.5,ws-u1,infinite\n');
});

test('names are given with the domain and without, of both families', () => {
  const { lan } = kuberouterConfigSchema.parse({ lan: { ipv6 } });
  expect(renderNames([{ name: 'ws-u1', address: '172.24.1.5' }], lan)).toBe(
    [
      '172.24.254.1 router.webspace router',
      'fd57:1:2:3::1 router.webspace router',
      '172.24.1.5 ws-u1.webspace ws-u1',
      'fd57:1:2:3:57:acff:fe18:105 ws-u1.webspace ws-u1',
      '',
    ].join('\n'),
  );
});

describe('leases', () => {
  test('are read as dnsmasq writes them, without IPv6 and without a broken line', () => {
    const text = [
      '0 02:57:ac:18:01:05 172.24.1.5 ws-u1 *',
      '1764360000 02:99:00:00:00:01 172.24.192.9 * 01:02:99:00:00:00:01',
      'duid 00:01:00:01',
      '1764360000 1 fd57::1 * 00:01',
      '1764360000 02:99:00:00:00:02 172.24.19',
    ].join('\n');
    expect(parseLeases(text)).toEqual([
      { expires: 0, mac: '02:57:ac:18:01:05', address: '172.24.1.5', name: 'ws-u1', clientId: '*' },
      { expires: 1764360000, mac: '02:99:00:00:00:01', address: '172.24.192.9', name: '*', clientId: '01:02:99:00:00:00:01' },
    ]);
    expect(parseLeases(formatLeases(parseLeases(text)))).toEqual(parseLeases(text));
  });
});
