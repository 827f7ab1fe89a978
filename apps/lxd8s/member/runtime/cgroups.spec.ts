import { expect, test } from '@jest/globals';
import { cgroupMounts } from './cgroups.js';

const VERSION_1 =
  '4:memory:/kubepods/pod1/abc\n3:cpu,cpuacct:/kubepods/pod1/abc\n1:name=systemd:/kubepods/pod1/abc\n0::/kubepods/pod1/abc\n';

test('mounts that agree with the paths are left alone', () => {
  expect(cgroupMounts('4:memory:/\n', [{ root: '/', at: '/sys/fs/cgroup/memory', type: 'cgroup' }])).toEqual([]);
});

test('in version 1 each hierarchy is mounted anew', () => {
  const there = [{ root: '/kubepods/pod1/abc', at: '/sys/fs/cgroup/memory', type: 'cgroup' }];
  expect(cgroupMounts(VERSION_1, there).map((command) => command.join(' '))).toEqual([
    'umount -R /sys/fs/cgroup',
    'mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup',
    'mkdir -p /sys/fs/cgroup/memory',
    'mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory',
    'mkdir -p /sys/fs/cgroup/cpu,cpuacct',
    'mount -t cgroup -o cpu,cpuacct cgroup /sys/fs/cgroup/cpu,cpuacct',
    'mkdir -p /sys/fs/cgroup/systemd',
    'mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd',
    'mkdir -p /sys/fs/cgroup/unified',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified',
  ]);
});

test('in version 2 there is one', () => {
  const there = [{ root: '/kubepods/pod1/abc', at: '/sys/fs/cgroup', type: 'cgroup2' }];
  expect(cgroupMounts('0::/kubepods/pod1/abc\n', there).map((command) => command.join(' '))).toEqual([
    'umount -R /sys/fs/cgroup',
    'mount -t cgroup2 cgroup2 /sys/fs/cgroup',
  ]);
});
