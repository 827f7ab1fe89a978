import { describe, expect, test } from '@jest/globals';
import { type Machine, machineArguments, macsOf, probeArguments, socketsIn } from './command-line.js';

const machine: Machine = {
  ...{ accelerator: 'kvm', machine: 'microvm', clockKhz: 2_250_000, member: 'lxd-0', guest: '/guest', memoryBytes: 700 * 2 ** 20, cpus: 2 },
  disks: [
    { serial: 'root', file: '/guest/root.squashfs' },
    { serial: 'lxd', file: '/var/lib/lxd/disk.img' },
  ],
  sockets: socketsIn('/run/vm'),
  handed: { settings: '/run/vm/settings' },
  macs: { outside: '52:54:00:00:00:01', lan: '52:54:00:00:00:02' },
  ...{ lxdPort: 8443, relayPort: 8444 },
};
const text = (more: Partial<Machine> = {}) => machineArguments({ ...machine, ...more }).join(' ');

describe('the command line of a machine', () => {
  test('has its size, and one device of the bus for each disk, by its serial', () => {
    expect(text()).toContain('-M microvm,acpi=on,rtc=on -accel kvm -cpu host,-arch-capabilities ');
    expect(text()).toContain('-m 700M -smp 2');
    expect(text()).toContain(
      'id=root,file=/guest/root.squashfs,format=raw,if=none,readonly=on -device virtio-blk-device,drive=root,serial=root',
    );
    expect(text()).toMatch(
      /id=lxd,file=\/var\/lib\/lxd\/disk\.img,format=raw,if=none,cache=none,\S+ -device virtio-blk-device,drive=lxd,serial=lxd/,
    );
    expect(text({ machine: 'q35' })).toContain('virtio-blk-pci,drive=lxd');
    expect(text({ machine: 'q35' })).toMatch(/virtio-net-pci,netdev=outside,mac=\S+,romfile= /);
  });

  test('says a clock only where there is no KVM, which has its own', () => {
    expect(text()).not.toContain('tsc_early_khz');
    expect(text({ accelerator: 'tcg' })).toContain('tsc_early_khz=2250000 tsc=reliable');
    expect(text({ accelerator: 'tcg' })).not.toContain('kvm');
  });

  test("opens LXD's port to all, and its relay to the pod itself only", () => {
    expect(text()).toContain('hostfwd=tcp::8443-192.168.69.2:8443,hostfwd=tcp:127.0.0.1:8444-192.168.69.2:8444');
  });

  test("is on the members' network where it has a way into it", () => {
    expect(text()).not.toContain('tap');
    expect(text({ tap: 'lxd8s-vm' })).toContain('tap,id=lan,ifname=lxd8s-vm,script=no,downscript=no,vhost=off');
  });

  test('starts no program, shows no console but to the log, and hands secrets over by files', () => {
    expect(text()).toContain('spawn=deny');
    expect(text()).toContain('-nodefaults -no-user-config -display none');
    expect(text()).toContain('-fw_cfg name=opt/lxd8s/settings,file=/run/vm/settings');
  });

  test('a comma in a path is a comma', () => {
    expect(text({ disks: [{ serial: 'lxd', file: '/a,readonly=on/disk' }] })).toContain('file=/a,,readonly=on/disk,format=raw');
  });

  test('that of the probe has neither disk nor network', () => {
    const probe = probeArguments({ guest: '/guest', accelerator: 'kvm', machine: 'microvm' }).join(' ');
    expect(probe).toContain('lxd8s.probe');
    expect(probe).not.toMatch(/-drive|-netdev/);
  });
});

test('each member of a domain has addresses of its own, always the same', () => {
  const all = ['lxd-0', 'lxd-1', 'lxd-2'].map((member) => macsOf('lxd.x', member));
  expect(new Set(all.flatMap(({ outside, lan }) => [outside, lan])).size).toBe(6);
  expect(macsOf('lxd.x', 'lxd-1')).toEqual(all[1]);
  // A single station, locally administered.
  for (const { lan } of all) expect(Number.parseInt(lan.slice(0, 2), 16) & 3).toBe(2);
});
