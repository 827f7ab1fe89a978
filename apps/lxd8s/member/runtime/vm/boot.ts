import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import { podLimits } from '../../memory/measure.js';
import { type Accelerated, type Disk, type Machine, macsOf, socketsIn } from './command-line.js';
import { ensureDisk, ensureStorageDisk, keepDisk, type LxdDisk } from './disks.js';
import { assignments, settingsText, writeHanded } from './handed-over.js';
import { RunningMachine } from './machine.js';
import { bytesOf, cpusOf, roomOf } from './sizes.js';
import { makeTap } from './tap.js';

export interface BootOptions {
  readonly config: Lxd8sMemberConfig;
  /** `LXD_*` of the container, for LXD in the machine. */
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** By which the machine's relay knows this process. */
  readonly word: string;
  readonly log: Logger;
}

const STATE_MS = 5_000;
const STATE = ['/bin/cat', '/run/lxd8s/state'];
const POLL_MS = 200;

/**
 * Starts the member's machine with its disks, and waits until LXD can be started in it. A new disk counts as used from then on.
 * @throws PlatformError that says what the pod lacks, or with `details.part` `volume` that a disk cannot be used; nothing runs then.
 */
export async function bootMachine({ config, environment, word, log }: BootOptions, signal: AbortSignal): Promise<RunningMachine> {
  const { vm, member, domain } = config;
  const limits = podLimits();
  const memoryBytes = bytesOf(vm.memory, { of: "the pod's limit of memory", bytes: limits.memoryBytes });
  const cpus = cpusOf(vm.cpus, limits.cpus);
  const { disk, disks } = await disksOf(config);
  const tap = vm.lan && (await makeTap(vm.lan.bridge));
  const macs = macsOf(domain, member);
  const lan = vm.lan && tap && { bridge: vm.lan.bridge, mtu: tap.mtu };
  const settings = settingsText({ member, domain, macs, disk: disk.state, word, lan });
  const machine: Machine = {
    ...{ ...howOf(config), member, guest: vm.guest, memoryBytes, cpus, disks, macs, tap: tap?.name },
    handed: writeHanded(vm.runFolder, { settings, environment: assignments(environment) }),
    sockets: socketsIn(vm.runFolder),
    lxdPort: config.lxd.port,
    relayPort: vm.relayPort,
  };
  log.info({ accelerator: vm.accelerator, machine: vm.machine, memoryBytes, cpus, disk: disk.state }, 'the machine starts');
  const running = await RunningMachine.start({ qemu: vm.qemu, machine, log });
  try {
    await untilReady(running, vm.bootSeconds, signal);
    await keepDisk(disk);
    return running;
  } catch (error) {
    running.kill();
    await running.ended;
    throw error;
  }
}

export function howOf({ vm: { accelerator, machine } }: { readonly vm: Pick<Accelerated, 'accelerator' | 'machine'> }): Accelerated {
  return { accelerator, machine, clockKhz: clockKhz() };
}

async function disksOf({ vm, lxd, volumes }: Lxd8sMemberConfig): Promise<{ readonly disk: LxdDisk; readonly disks: readonly Disk[] }> {
  const disk = await ensureDisk(lxd.folder, bytesOf(vm.disk, await roomOf(lxd.folder)));
  const disks: Disk[] = [
    { serial: 'root', file: join(vm.guest, 'root.squashfs') },
    { serial: 'lxd', file: disk.file },
  ];
  if (volumes.storage !== undefined) {
    const file = await ensureStorageDisk(volumes.storage, bytesOf(vm.storageDisk, await roomOf(volumes.storage)));
    disks.push({ serial: 'storage', file });
  }
  return { disk, disks };
}

/** @throws PlatformError CONFLICT, about a volume, when the guest cannot use its disk; UNAVAILABLE when it is not ready in time. */
async function untilReady(machine: RunningMachine, seconds: number, signal: AbortSignal): Promise<void> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    if (!machine.running) throw new PlatformError('UNAVAILABLE', `The machine has ended while it started: ${await machine.ended}.`);
    // Not there yet.
    const state = await machine.agent.output(STATE, { timeoutMs: STATE_MS }).catch(() => '');
    if (state.trim() === 'ready') return;
    const [, why] = /^failed: (.*)/.exec(state) ?? [];
    if (why !== undefined) throw new PlatformError('CONFLICT', `The volume of LXD: ${why}.`, { details: { part: 'volume' } });
    if (Date.now() > until) throw new PlatformError('UNAVAILABLE', `The machine is not ready within ${seconds} s.`);
    await delay(POLL_MS);
  }
}

function clockKhz(): number | undefined {
  const mhz = Number(/^cpu MHz\s*:\s*([\d.]+)/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1]);
  return Number.isNaN(mhz) ? undefined : Math.round(mhz * 1000);
}
