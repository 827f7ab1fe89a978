import { z } from 'zod';
import { MAX_PASSWORD_BYTES } from '#libs/linux/sha512-crypt.js';

/** The wire forms of the original API. */

export const imageReference = z
  .string({ error: 'must be a text: an image alias such as "hello", or a fingerprint of 64 hex digits' })
  .regex(/^[\w][\w./:@+-]{0,127}$/, 'must be an image alias such as "hello", or a fingerprint of 64 hex digits');

const MAX_PASSWORD_CHARACTERS = 128;

const text = z.string({ error: 'must be a text' });
/** What the original CLI sends when its input is no terminal ends as the input does. */
const textOfALine = text.overwrite((line) => line.replace(/\r?\n$/, ''));

/** Any character but those that no login could give: a NUL ends a password for crypt(3), a line end its input. */
const passwordOf = (given: z.ZodString) =>
  given
    .min(1, 'must not be empty; leave it out for no password')
    .regex(/^[^\0\r\n]*$/, 'must not hold NUL or line ends: a NUL ends a password and a line end its input, so that no login could give it')
    .refine((password) => !/\p{Surrogate}/u.test(password), 'must be valid Unicode, without halves of surrogate pairs')
    .refine((password) => [...password].length <= MAX_PASSWORD_CHARACTERS, `must be at most ${MAX_PASSWORD_CHARACTERS} characters long`)
    .refine(
      (password) => Buffer.byteLength(password) <= MAX_PASSWORD_BYTES,
      `must be at most ${MAX_PASSWORD_BYTES} bytes long in UTF-8: not every system inside reads more`,
    )
    .meta({ maxLength: MAX_PASSWORD_CHARACTERS, description: 'Root password, taken as its UTF-8 bytes; none when absent' });

export const rootPassword = passwordOf(text);

export const withSsh = z
  .boolean({ error: 'must be true or false' })
  .describe("Let the account's SSH public key in as root: with an SSH server, installed if missing, and a forward to port 22");

export const createWebspaceBody = z
  .strictObject({
    image: imageReference.describe('Image alias, or fingerprint of 64 hex digits'),
    password: passwordOf(textOfALine).optional(),
    ssh: withSsh.optional(),
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

export const domainParams = z.object({ domain: z.string().max(1_024).describe('A host name; case, a trailing dot and IDN do not matter') });
export const domainsSchema = z.array(z.string()).describe('The default domain first').meta({ id: 'Domains' });

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
