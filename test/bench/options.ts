import { parseArgs } from 'node:util';

export const BENCHES = ['create', 'reads', 'restart', 'changes', 'exec', 'visit', 'forward', 'images', 'lan', 'upgrade'] as const;
/** Only by name: they need more of the machine than the others. */
const ON_REQUEST = ['vm'] as const;
export type BenchName = (typeof BENCHES)[number] | (typeof ON_REQUEST)[number];
export type Storage = 'file' | 'memory';

export const USAGE = `npm run bench -- [create|reads|restart|changes|exec|visit|forward|images|lan|upgrade|vm …] [options]   (no name: all but vm, in short form)
  --count <n>          creates at each concurrency and boots (30; short 6)
  --storage <s>        of Temporal: file, memory or both (both)
  --existing <list>    webspaces that are there already (1; with --full 1,100,300)
  --seconds <n>        of each measurement of reads (5; short 2)
  --requests <n>       before memory is looked at (10000; short 2000)
  --webspaces <n>      there while api and worker are restarted (20; with --full 100; short 5)
  --transfers <n>      through a terminal or a forwarded port (5; short 1)
  --upgrades <n>       of each kind (3; short 1)
  --boots <n>          of a member of LXD (5; short 1)
  --accelerator <a>    of vm: kvm, or tcg, which only shows that it can be measured (kvm)
  --full               all counts as the targets name them
  --json <path>        all figures as JSON
  --markdown <path>    the tables, to be pasted into docs/benchmarks.md`;

export interface Options {
  readonly benches: readonly BenchName[];
  readonly count: number;
  readonly storages: readonly Storage[];
  readonly existing: readonly number[];
  readonly seconds: number;
  readonly requests: number;
  readonly webspaces: number;
  readonly transfers: number;
  readonly upgrades: number;
  readonly boots: number;
  readonly accelerator: 'kvm' | 'tcg';
  readonly json: string | undefined;
  readonly markdown: string | undefined;
}

export class BadOption extends Error {
  override readonly name = 'BadOption';
}

/** @throws BadOption in one sentence. */
export function optionsOf(argv: readonly string[]): Options {
  const { values, positionals } = parsed(argv);
  const full = values.full ?? false;
  const short = positionals.length === 0 && !full;
  const usual = <T>(counts: { readonly short: T; readonly usual: T; readonly full: T }) =>
    full ? counts.full : short ? counts.short : counts.usual;
  return {
    benches: positionals.length === 0 ? BENCHES : positionals.map((name) => oneOf([...BENCHES, ...ON_REQUEST], name)),
    count: positive('count', values.count, usual({ short: 6, usual: 30, full: 30 })),
    storages: values.storage === undefined || values.storage === 'both' ? ['file', 'memory'] : [oneOf(['file', 'memory'], values.storage)],
    existing: (values.existing?.split(',') ?? usual({ short: ['1'], usual: ['1'], full: ['1', '100', '300'] })).map((text) =>
      positive('existing', text, 1),
    ),
    seconds: positive('seconds', values.seconds, usual({ short: 2, usual: 5, full: 10 })),
    requests: positive('requests', values.requests, usual({ short: 2_000, usual: 10_000, full: 10_000 })),
    webspaces: positive('webspaces', values.webspaces, usual({ short: 5, usual: 20, full: 100 })),
    transfers: positive('transfers', values.transfers, usual({ short: 1, usual: 5, full: 10 })),
    upgrades: positive('upgrades', values.upgrades, usual({ short: 1, usual: 3, full: 5 })),
    boots: positive('boots', values.boots, usual({ short: 1, usual: 5, full: 10 })),
    accelerator: oneOf(['kvm', 'tcg'], values.accelerator ?? 'kvm'),
    json: values.json,
    markdown: values.markdown,
  };
}

function parsed(argv: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        ...{ count: text, storage: text, existing: text, seconds: text, requests: text, webspaces: text, transfers: text, upgrades: text },
        ...{ boots: text, accelerator: text, json: text, markdown: text },
        full: { type: 'boolean' },
      },
    });
  } catch (error) {
    throw new BadOption(error instanceof Error ? error.message : String(error));
  }
}

function positive(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isInteger(value) || value < 1) throw new BadOption(`--${name} must be a whole number from 1, not "${text}"`);
  return value;
}

function oneOf<T extends string>(allowed: readonly T[], text: string): T {
  const found = allowed.find((each) => each === text);
  if (found === undefined) throw new BadOption(`"${text}" is none of ${allowed.join(', ')}`);
  return found;
}
