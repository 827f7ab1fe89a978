import ipaddr from 'ipaddr.js';
import { z } from 'zod';
import type { DeepReadonly } from './freeze.js';
import { interfaceAddress, interfaceName, lanSchema } from './lan.js';
import { kubernetesSchema, listenSchema, logSchema } from './schemas.js';

const command = z.array(z.string().min(1)).max(64).default([]);

const hooks = z
  .strictObject({
    up: command.describe('Command, once the interface is there and after it was made anew; gets IFACE'),
    change: command.describe('Command, when the peers of a Service have changed; gets IFACE, SERVICE, IPS and DELETED'),
    timeoutSeconds: z.number().min(0.1).max(600).default(10).describe('A command that runs longer is killed, and has failed'),
  })
  .prefault({});

const wireguard = z
  .strictObject({
    interface: interfaceName.default('webspaces-wg').describe('Name of the interface of the tunnels'),
    port: z.int().min(1).max(65535).default(51820).describe('UDP port of the tunnels in the underlay'),
    rotateHours: z
      .number()
      .min(0.001)
      .max(30 * 24)
      .default(24)
      .describe('A key that is so old is replaced; frames are lost until the others have read the new one'),
  })
  .prefault({})
  .describe('With lan.encryption: wireguard');

const settings = z
  .strictObject({
    listen: listenSchema.prefault('0.0.0.0:8181').describe('Address of health, metrics and /config'),
    log: logSchema,
    kubernetes: kubernetesSchema,
    lan: lanSchema.prefault({}),
    underlay: z
      .strictObject({
        address: z
          .string()
          .refine((text) => ipaddr.isValid(text), 'must be an IP address')
          .optional()
          .describe("Of the pod, from the downward API; without it that of the default route. Its family is that of the peers'"),
      })
      .prefault({}),
    addresses: z.array(interfaceAddress).max(16).default([]).describe('Addresses of this pod on the LAN, e.g. 172.24.254.2/16'),
    bridge: interfaceName
      .optional()
      .describe('Bridge that the interface is a port of, made where it is missing; it then has the addresses'),
    ageingSeconds: z.int().min(5).max(3600).default(30).describe('How long it is believed where a MAC was last seen'),
    resyncSeconds: z
      .number()
      .min(0.5)
      .max(3600)
      .default(30)
      .describe('Pause between two looks at the kernel when nothing is known to have changed'),
    keepInterface: z
      .boolean()
      .default(true)
      .describe('The interface stays when the process ends, so that no packet is lost; false takes away all that was made'),
    wireguard,
    hooks,
  })
  .superRefine(({ lan, bridge, wireguard: { interface: tunnel } }, context) => {
    const wrong = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
    if (bridge === lan.interface) wrong(['bridge'], 'must not be the name of the VXLAN interface');
    if (tunnel === lan.interface || tunnel === bridge) wrong(['wireguard', 'interface'], 'must be a name of its own');
  });

export const kubelanConfigSchema = settings;
export type KubelanConfig = DeepReadonly<z.output<typeof kubelanConfigSchema>>;
