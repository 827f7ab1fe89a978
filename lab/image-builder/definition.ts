import { parse } from 'yaml';
import { z } from 'zod';

/** LXD's name of an architecture to Debian's. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x86_64: 'amd64', aarch64: 'arm64' };
const LOCAL: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };

const absolutePath = z
  .string()
  .startsWith('/')
  .refine((path) => !path.split('/').includes('..'), 'must not leave the root');
const dump = z.strictObject({
  generator: z.literal('dump'),
  path: absolutePath,
  content: z.string().default(''),
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/)
    .optional(),
});
const file = z.discriminatedUnion('generator', [
  dump,
  z.strictObject({ generator: z.literal('remove'), path: absolutePath }),
  z.strictObject({ generator: z.literal('hostname'), path: absolutePath }),
  z.strictObject({ generator: z.literal('hosts'), path: absolutePath }),
]);

/** What we use of distrobuilder's form of a definition; anything else is refused, so that nothing is left out unseen. */
const schema = z.strictObject({
  image: z.strictObject({
    distribution: z.string().min(1),
    release: z.string().min(1),
    variant: z.string().default('default'),
    description: z.string(),
    expiry: z.string().regex(/^(\d+[smhdw])+$/),
    architecture: z.string().default(LOCAL[process.arch] ?? process.arch),
    serial: z.string().min(1),
  }),
  source: z.strictObject({ downloader: z.literal('debootstrap'), url: z.url(), variant: z.literal('minbase') }),
  packages: z.strictObject({
    manager: z.literal('apt'),
    update: z.boolean().default(false),
    cleanup: z.boolean().default(false),
    repositories: z.array(z.strictObject({ name: z.literal('sources.list'), url: z.string() })),
    sets: z.array(
      z.strictObject({ action: z.enum(['install', 'remove']), flags: z.array(z.string()).default([]), packages: z.array(z.string()) }),
    ),
  }),
  files: z.array(file),
  actions: z.array(
    z.strictObject({ trigger: z.enum(['post-unpack', 'post-update', 'post-packages', 'post-files']), action: z.string().startsWith('#!') }),
  ),
  mappings: z.strictObject({ architecture_map: z.literal('debian') }),
});

export type Definition = z.infer<typeof schema> & {
  /** Debian's name of `image.architecture`. */
  readonly debianArchitecture: string;
  /** Where packages come from during the build: `source.url`, unless it was overridden what the file says. */
  readonly ordinaryUrl: string;
};
export type DefinitionFile = z.infer<typeof file>;
export type Trigger = Definition['actions'][number]['trigger'];

/** Reads a definition; `options` are distrobuilder's `-o image.serial=…`. */
export function parseDefinition(text: string, options: readonly string[]): Definition {
  const document = parse(text) as Record<string, Record<string, unknown>>;
  const ordinaryUrl = z.string().parse(document['source']?.['url']);
  for (const option of options) {
    const [, section = '', field = '', value = ''] = /^(image|source)\.([a-z_]+)=(.+)$/.exec(option) ?? [];
    const target = document[section];
    if (!target) throw new Error(`-o ${option}: must be image.<field>=<value> or source.<field>=<value>`);
    target[field] = value;
  }
  const parsed = schema.parse(document);
  const debianArchitecture = ARCHITECTURES[parsed.image.architecture];
  if (!debianArchitecture)
    throw new Error(`image.architecture ${parsed.image.architecture}: must be ${Object.keys(ARCHITECTURES).join(' or ')}`);
  return { ...parsed, debianArchitecture, ordinaryUrl };
}

/** Fills in `{{ image.release }}` and its like. */
export function render(text: string, { image, debianArchitecture }: Definition): string {
  const values: Readonly<Record<string, string>> = { ...image, architecture_mapped: debianArchitecture };
  return text.replaceAll(/\{\{\s*image\.([a-z_]+)\s*\}\}/g, (whole, field: string) => {
    const value = values[field];
    if (value === undefined) throw new Error(`${whole} is not known`);
    return value;
  });
}

const UNIT_SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

export function expirySeconds(expiry: string): number {
  const parts = [...expiry.matchAll(/(\d+)([smhdw])/g)];
  return parts.reduce((sum, [, count, unit]) => sum + Number(count) * (UNIT_SECONDS[unit as string] ?? 0), 0);
}
