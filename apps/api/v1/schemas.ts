import { z } from 'zod';

/** The wire forms of the original API. */

export const imageReference = z
  .string({ error: 'must be a text: an image alias such as "hello", or a fingerprint of 64 hex digits' })
  .regex(/^[\w][\w./:@+-]{0,127}$/, 'must be an image alias such as "hello", or a fingerprint of 64 hex digits');

export const createWebspaceBody = z
  .strictObject({
    image: imageReference.describe('Image alias, or fingerprint of 64 hex digits'),
    password: z.string({ error: 'must be a text' }).optional().describe('Root password (not available yet)'),
    ssh: z
      .boolean({ error: 'must be true or false' })
      .optional()
      .describe("Install an SSH server with the account's key (not available yet)"),
  })
  .meta({ id: 'InitRequest' });
export type CreateWebspaceBody = z.output<typeof createWebspaceBody>;

export const imageSchema = z
  .object({
    aliases: z.array(z.object({ name: z.string(), description: z.string() })),
    fingerprint: z.string(),
    properties: z.record(z.string(), z.string()),
    size: z.int().describe('Bytes'),
  })
  .meta({ id: 'Image' });
export type Image = z.output<typeof imageSchema>;

export const configSchema = z
  .object({ startupDelay: z.number().describe('Seconds'), httpPort: z.int(), sniPassthrough: z.boolean() })
  .meta({ id: 'Config' });

export type Config = z.output<typeof configSchema>;

/** Absent properties stay as they are; `false` and `0` count. Ranges are checked with the webspace's own limits. */
export const changeConfigBody = z
  .strictObject({
    startupDelay: z.number({ error: 'must be a number of seconds' }).optional().describe('Seconds, 0 to 60'),
    httpPort: z.number({ error: 'must be a port, 1 to 65535' }).optional().describe('1 to 65535'),
    sniPassthrough: z.boolean({ error: 'must be true or false' }).optional(),
  })
  .meta({ id: 'ConfigChange' });
export type ChangeConfigBody = z.output<typeof changeConfigBody>;

/** Texts: what is no port is answered as the original does, `invalid port`. */
const portText = z.string().max(100).describe('Port, 1 to 65535');
export const portParams = z.object({ port: portText });
export const bothPortsParams = z.object({ ePort: portText, iPort: portText });

export const portsSchema = z.record(z.string(), z.int()).describe('Port of the webspace by external port; TCP').meta({ id: 'Ports' });
export const randomPortSchema = z.object({ ePort: z.int() }).meta({ id: 'RandomPort' });

export const webspaceSchema = z
  .object({
    user: z.int().describe('Account id; a negative number stands for an account whose id is no number'),
    config: configSchema,
    domains: z.array(z.string()).describe('Custom domains'),
    ports: z.record(z.string(), z.int()).describe('Port of the webspace by external port'),
  })
  .meta({ id: 'Webspace' });
export type Webspace = z.output<typeof webspaceSchema>;

const counters = z.object({ bytesReceived: z.int(), bytesSent: z.int(), packetsReceived: z.int(), packetsSent: z.int() });
const networkInterface = z.object({
  mac: z.string(),
  mtu: z.int(),
  state: z.string(),
  counters,
  addresses: z.array(z.object({ family: z.string(), address: z.string(), netmask: z.string(), scope: z.string() })),
});

export const stateSchema = z
  .object({
    running: z.boolean(),
    uptime: z.number().describe('Seconds, 0 when it does not run'),
    usage: z.object({
      cpu: z.int().describe('Nanoseconds'),
      disks: z.record(z.string(), z.int()),
      memory: z.int().describe('Bytes'),
      processes: z.int(),
    }),
    networkInterfaces: z.record(z.string(), networkInterface),
  })
  .meta({ id: 'State' });
export type State = z.output<typeof stateSchema>;
