import type { Release, ReleaseAsset, Repository } from '#libs/github/types.js';
import { deltaFileName, itemPath, METADATA_FILES, rootFileName } from '#libs/simplestreams/item-paths.js';
import { renderStreams } from '#libs/simplestreams/render.js';
import type { ImageVersion, LeftOut } from '#libs/simplestreams/types.js';
import { type Document, documentOf } from './http/document.js';
import type { ReleaseOutcome } from './releases/read-releases.js';

/** A file that clients may have, and what its bytes must be. */
export interface ServedFile {
  readonly repository: Repository;
  readonly asset: ReleaseAsset;
  readonly sha256: string;
}

export interface OfferedInput {
  readonly repository: Repository;
  readonly releases: readonly Release[];
  /** By the releases' ids; those that have none yet are left out. */
  readonly outcomes: ReadonlyMap<number, ReleaseOutcome>;
  readonly before: Offered | undefined;
  readonly nowMs: number;
}

interface Retired {
  readonly file: ServedFile;
  readonly untilMs: number;
}

/** LXD believes an index for an hour, and then begins downloads that take their time. */
const RETIRED_MS = 2 * 3_600_000;
const NOT_READ = 'It has not been read yet.';

/** What a repository offers at one moment: its documents, which always agree, and the files that they name. */
export class Offered {
  private constructor(
    readonly index: Document,
    readonly images: Document,
    readonly versions: readonly ImageVersion<ReleaseAsset>[],
    readonly leftOut: readonly LeftOut[],
    /** What was not left out before. */
    readonly newlyLeftOut: readonly LeftOut[],
    /** Whether everything could be read. */
    readonly complete: boolean,
    private readonly files: ReadonlyMap<string, ServedFile>,
    /** Files of earlier documents, which clients may still have. */
    private readonly retired: ReadonlyMap<string, Retired>,
  ) {}

  static async of({ repository, releases, outcomes, before, nowMs }: OfferedInput): Promise<Offered> {
    const found = releases.map(({ id, tag }) => outcomes.get(id) ?? unread(tag));
    const versions = found.flatMap((outcome) => outcome.versions);
    const streams = renderStreams(versions);
    const leftOut = [...found.flatMap((outcome) => outcome.leftOut), ...streams.leftOut];
    const known = new Set(before?.leftOut.map(textOf));
    const files = new Map(versions.flatMap((version) => filesOf(repository, version)));
    const [index, images] = await Promise.all([
      documentOf(streams.index, before?.index, nowMs),
      documentOf(streams.images, before?.images, nowMs),
    ]);
    return new Offered(
      index,
      images,
      versions,
      leftOut,
      leftOut.filter((each) => !known.has(textOf(each))),
      found.every(({ complete }) => complete),
      files,
      before ? before.#retiredAfter(files, nowMs) : new Map(),
    );
  }

  /** By its path below the repository. */
  file(path: string): ServedFile | undefined {
    return this.files.get(path) ?? this.retired.get(path)?.file;
  }

  #retiredAfter(files: ReadonlyMap<string, ServedFile>, nowMs: number): Map<string, Retired> {
    const retired = new Map([...this.retired].filter(([path, { untilMs }]) => untilMs > nowMs && !files.has(path)));
    for (const [path, file] of this.files) if (!files.has(path)) retired.set(path, { file, untilMs: nowMs + RETIRED_MS });
    return retired;
  }
}

function unread(tag: string): ReleaseOutcome {
  return { versions: [], leftOut: [{ tag, reason: NOT_READ }], complete: false };
}

function filesOf(repository: Repository, { variant, metadataSha256, roots }: ImageVersion<ReleaseAsset>): [string, ServedFile][] {
  const at = (file: string, asset: ReleaseAsset, sha256: string): [string, ServedFile] => [
    itemPath({ ...variant, file }),
    { repository, asset, sha256 },
  ];
  return [
    ...METADATA_FILES.map((name) => at(name, variant.metadata.id, metadataSha256)),
    ...roots.flatMap(({ type, file, sha256, deltas }) => [
      at(rootFileName(type), file.id, sha256),
      ...deltas.map((delta) => at(deltaFileName(type, delta.base), delta.file.id, delta.sha256)),
    ]),
  ];
}

function textOf({ tag, architecture, reason }: LeftOut): string {
  return `${tag}\n${architecture ?? ''}\n${reason}`;
}
