/** The kernel's names of architectures and their other names, as LXD knows them (canonical/lxd `shared/osarch/architectures.go`). */
const NAMES: Readonly<Record<string, readonly string[]>> = {
  i686: ['i386', 'i586', '386', 'x86', 'generic_32'],
  x86_64: ['amd64', 'generic_64'],
  armv6l: [],
  armv7l: ['armel', 'armhf', 'arm', 'armhfp', 'armv7a_hardfp', 'armv7', 'armv7a_vfpv3_hardfp'],
  armv8l: [],
  aarch64: ['arm64', 'arm64_generic'],
  ppc: ['powerpc'],
  ppc64: ['powerpc64'],
  ppc64le: ['ppc64el'],
  s390x: [],
  mips: ['mipsel', 'mipsle'],
  mips64: ['mips64el', 'mips64le'],
  riscv32: [],
  riscv64: [],
  loongarch64: ['loong64'],
};

const KERNEL_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries(NAMES).flatMap(([kernel, others]) => [kernel, ...others].map((name) => [name, kernel] as const)),
);

/** What the kernel calls it (`x86_64` for `amd64`), or undefined for what LXD does not know. */
export function kernelArchitecture(name: string): string | undefined {
  return KERNEL_NAMES.get(name);
}
