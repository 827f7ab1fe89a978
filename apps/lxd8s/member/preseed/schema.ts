import { readFile } from 'node:fs/promises';
import { parse } from 'yaml';
import { z } from 'zod';
import { messageOf, PlatformError } from '#libs/errors/platform-error.js';

/** Members set these themselves, each its own. */
const OF_ONE_MEMBER = ['core.https_address', 'cluster.https_address', 'core.trust_password'];

const scalar = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const strings = z.record(z.string(), scalar).default({});
const name = z.string().min(1);
const description = z.string().optional();

const unique = <T extends { readonly name: string; readonly project?: string }>(list: readonly T[]) =>
  new Set(list.map((one) => `${one.project ?? ''}/${one.name}`)).size === list.length;
const listOf = <S extends z.ZodType<{ readonly name: string }>>(of: S) => z.array(of).default([]).refine(unique, 'has a name twice');

/** LXD's own form (`lxd init --preseed`), without what members do themselves. */
export const preseedSchema = z.strictObject({
  config: strings.refine((config) => OF_ONE_MEMBER.every((key) => !(key in config)), `may not set ${OF_ONE_MEMBER.join(', ')}`),
  projects: listOf(z.strictObject({ name, description, config: strings })),
  storage_pools: listOf(z.strictObject({ name, description, driver: z.string().min(1), config: strings })),
  networks: listOf(z.strictObject({ name, description, project: name.default('default'), type: name.default('bridge'), config: strings })),
  profiles: listOf(
    z.strictObject({
      name,
      description,
      project: name.default('default'),
      config: strings,
      devices: z.record(z.string(), strings).default({}),
    }),
  ),
});
export type Preseed = z.output<typeof preseedSchema>;

/** @throws PlatformError INVALID_INPUT with every problem of the file. */
export async function readPreseed(file: string): Promise<Preseed> {
  let raw: unknown;
  try {
    raw = parse(await readFile(file, 'utf8')) ?? {};
  } catch (cause) {
    throw new PlatformError('INVALID_INPUT', `The preseed ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  const parsed = preseedSchema.safeParse(raw);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => `${path.join('.') || 'all'}: ${message}`);
  throw new PlatformError('INVALID_INPUT', `The preseed ${file} cannot be used: ${problems.join('; ')}`);
}
