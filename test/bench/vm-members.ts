import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { projectRoot } from '#lab/project.js';
import { AS_PID_1 } from '../support/lxd8s-manifests.js';
import { type VmOptions, vmStatefulSet } from '../support/vm-manifests.js';

export type Runtime = 'container' | 'vm';

interface Variable {
  readonly name: string;
  readonly value?: string;
}

interface Container {
  readonly name: string;
  readonly env: readonly Variable[];
}

interface Members {
  readonly spec: { readonly template: { readonly spec: { readonly containers: readonly Container[] } } };
}

const ENTRY = join(projectRoot(), 'dist', 'apps', 'lxd8s', 'member', 'main.js');
const IN_CONTAINER = [
  'bash',
  '-c',
  AS_PID_1,
  'pid-1',
  'unshare',
  '--cgroup',
  '--mount',
  '--propagation',
  'private',
  process.execPath,
  ENTRY,
];

/**
 * One member by this runtime; the pods differ in nothing else, and the machine has as many processors as the container. They are privileged: the lab
 * has no device plugin, and no other pod may open /dev/kvm.
 */
export function memberBy(runtime: Runtime, options: Omit<VmOptions, 'lan'>): object {
  const members = vmStatefulSet({ ...options, lan: 'bridged' }) as Members;
  const { template } = members.spec;
  const containers = template.spec.containers.map((container) => (container.name === 'member' ? member(runtime, container) : container));
  return { ...members, spec: { ...members.spec, template: { ...template, spec: { ...template.spec, containers } } } };
}

function member(runtime: Runtime, container: Container): object {
  const changed = { WEBSPACES__RUNTIME: runtime, WEBSPACES__VM__CPUS: String(availableParallelism()) };
  const others = container.env.filter(({ name }) => !(name in changed));
  return {
    ...container,
    ...(runtime === 'container' ? { command: IN_CONTAINER } : {}),
    env: [...others, ...Object.entries(changed).map(([name, value]) => ({ name, value }))],
    securityContext: { privileged: true },
  };
}
