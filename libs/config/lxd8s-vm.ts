import { z } from 'zod';

const folder = z.string().regex(/^\/./, 'must be an absolute path');
const seconds = z.number().min(1).max(3600);
const size = z.string().regex(/^(?:(?:100|[1-9]\d?)%|[1-9]\d*(?:MiB|GiB|TiB))$/, 'must be a size as 512MiB, 20GiB, or a share as 80%');

/** Of the runtime `vm` of `apps/lxd8s/member`. */
export const vmSchema = z
  .strictObject({
    accelerator: z
      .enum(['kvm', 'tcg'])
      .default('kvm')
      .describe(
        'kvm: refused where a small machine does not run by it within probeSeconds. tcg: without KVM, many times slower, for trials',
      ),
    machine: z.enum(['microvm', 'q35']).default('microvm').describe('q35: the larger one, with PCI, where microvm is not to be had'),
    memory: size.default('75%').describe("Of the machine; a share is one of the pod's limit, and refused where the pod has none"),
    cpus: z
      .union([z.int().min(1).max(256), z.string().regex(/^(?:(?:100|[1-9]\d?)%|[1-9]\d{0,2})$/, 'must be a number, or a share as 50%')])
      .default('100%')
      .describe("Of the machine; a share is one of the pod's limit, rounded up, and refused where the pod has none"),
    disk: size
      .default('80%')
      .describe("LXD's disk, a file that grows as it is used; a share is one of its volume. It is made larger, never smaller"),
    storageDisk: size.default('80%').describe('The second disk, /dev/lxd-storage in the machine, where there is volumes.storage'),
    guest: folder.default('/usr/lib/lxd8s-vm').describe('kernel, initrd and root.squashfs of the machine'),
    qemu: z.string().min(1).default('qemu-system-x86_64'),
    runFolder: folder
      // Sockets are in it, and their paths have 107 bytes.
      .max(80)
      .default('/run/lxd8s-vm')
      .describe('Sockets, and what is handed over to the machine, a secret among it: a tmpfs'),
    relayPort: z.int().min(1).max(65535).default(8444).describe("On the pod's loopback, where its LXD is reached by a secret word"),
    probeSeconds: seconds.default(15),
    bootSeconds: seconds.default(180).describe('The machine is given up when it is not ready in this time'),
    lan: z
      .strictObject({
        bridge: z
          .string()
          .regex(/^[a-zA-Z][a-zA-Z0-9_.-]{0,14}$/, 'must be a name of at most 15 letters, digits, _ . and -')
          .describe("Bridge of the members' network in the pod; the machine has one of the same name, connected with it"),
      })
      .optional()
      .describe('Takes NET_ADMIN and /dev/net/tun'),
  })
  .prefault({})
  .describe('Of the runtime vm');
