import { howOf } from '#apps/lxd8s/member/runtime/vm/boot.js';
import { probeMachine } from '#apps/lxd8s/member/runtime/vm/probe.js';
import { dim } from '#lab/progress.js';
import { guestFolder } from '#lab/vm/guest.js';
import { qemuFolder } from '#lab/vm/qemu.js';
import type { Options } from './options.js';
import type { Line, Report } from './results.js';
import { summaryOf } from './statistics.js';
import { type Measured, measureMember } from './vm-measured.js';
import type { Runtime } from './vm-members.js';

const PROBE_SECONDS = { kvm: 15, tcg: 120 } as const;

/**
 * A member of LXD in a machine beside one in a container: the same pod on the same node, first all of one, then all of the other.
 * @throws PlatformError INVALID_INPUT where machines do not run by this accelerator: nothing is measured then.
 */
export async function benchVm(options: Options, report: Report): Promise<void> {
  const { accelerator } = options;
  const say = (text: string) => console.log(dim(`          ${text}`));
  const [qemu, guest] = [await qemuFolder(say), await guestFolder(say)];
  const how = howOf({ vm: { accelerator, machine: 'microvm' } });
  const begun = performance.now();
  await probeMachine({ ...how, qemu: `${qemu}/qemu-system-x86_64`, guest, seconds: PROBE_SECONDS[accelerator] });
  const probed: Line = { what: 'a small machine says that it runs', value: performance.now() - begun, unit: 'ms', count: 1 };
  const measured = async (runtime: Runtime) => {
    say(`member by ${runtime}`);
    return measureMember(runtime, { accelerator, qemu, guest }, options);
  };
  const [container, vm] = [await measured('container'), await measured('vm')];
  const proves = accelerator === 'tcg' ? ', which says nothing about KVM' : '';
  report(`LXD in a machine by ${accelerator}${proves}; raw: in a container`, [probed, ...linesOf(vm, container)]);
}

function linesOf(vm: Measured, container: Measured): Line[] {
  const times: readonly [string, readonly number[], readonly number[]][] = [
    ['deleted pod of a member until it serves again', vm.boots, container.boots],
    ['start of a container', vm.starts, container.starts],
    ['a page of the container, from the pod', vm.pages, container.pages],
  ];
  return [
    ...times.map(([what, values, raw]): Line => ({ ...compared(what, values, raw), unit: 'ms' })),
    { ...compared('bytes from the container to the pod', vm.bulk, container.bulk), unit: 'MB/s' },
    { ...compared('memory of all processes, no container', [vm.memory.idle], [container.memory.idle]), unit: 'MB' },
    { ...compared('memory of all processes, one container', [vm.memory.one], [container.memory.one]), unit: 'MB' },
  ];
}

function compared(what: string, values: readonly number[], others: readonly number[]): Omit<Line, 'unit'> {
  const [{ count, median: value, p95 }, { median: raw }] = [summaryOf(values), summaryOf(others)];
  return { what, count, value, ...(count > 1 ? { p95 } : {}), raw, ratio: value / raw, difference: value - raw };
}
