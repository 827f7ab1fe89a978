import { join } from 'node:path';
import type { OctolxdConfig } from '#libs/config/octolxd.js';
import type { Github } from '#libs/github/types.js';
import type { Logger } from '#libs/logging/logger.js';
import { startHealthServer } from '#libs/service/health-server.js';
import { allowance } from './allow.js';
import { DiskStore } from './disk/disk-store.js';
import { FileCache } from './files/file-cache.js';
import { FileSender } from './files/send-file.js';
import { createHandler } from './handler.js';
import { listenOn } from './listeners.js';
import { createMetrics, type OctolxdMetrics } from './metrics.js';
import { listingSchema } from './releases/listing-schema.js';
import { ReadFiles, readSchema } from './releases/read-files.js';
import { ReadReleases } from './releases/read-releases.js';
import { Repositories } from './repositories.js';
import { Unknown } from './unknown.js';
import { Upstream } from './upstream.js';

export interface Octolxd {
  readonly port: number;
  readonly metrics: OctolxdMetrics;
  /** Answers what was asked, then ends. */
  close(): Promise<void>;
}

export interface OctolxdParts {
  readonly config: OctolxdConfig;
  readonly github: Github;
  readonly log: Logger;
  readonly now?: () => number;
}

const CORRUPT_MS = 600_000;

/** The image server, listening. */
export async function startOctolxd({ config, github, log, now = Date.now }: OctolxdParts): Promise<Octolxd> {
  const { limits, cacheFolder } = config;
  const metrics = createMetrics();
  const upstream = new Upstream(github, metrics.call);
  // Half for listings, half for what was read of releases: neither may push out the other.
  const storeOf = { limitBytes: Math.ceil(limits.metadataCacheBytes / 2), log };
  const listings = await DiskStore.open({ ...storeOf, folder: join(cacheFolder, 'listings'), schema: listingSchema });
  const reads = await DiskStore.open({ ...storeOf, folder: join(cacheFolder, 'releases'), schema: readSchema });
  const cache = await FileCache.open({
    folder: join(cacheFolder, 'files'),
    limitBytes: config.files.cacheBytes,
    corruptMs: CORRUPT_MS,
    ...{ log, now },
  });
  const read = { store: reads, metadataBytes: config.metadataBytes, atOnce: limits.readsAtOnce };
  const files = new ReadFiles({ upstream, ...read, refusedMs: config.deepRefreshSeconds * 1000, log, now });
  const repositories = new Repositories({
    view: {
      ...{ upstream, listings, log, now },
      releases: new ReadReleases(files, { prereleases: config.prereleases ? 'include' : 'exclude' }),
      refreshMs: config.refreshSeconds * 1000,
      deepRefreshMs: config.deepRefreshSeconds * 1000,
      firstViewMs: config.firstViewSeconds * 1000,
      refreshWaitMs: limits.refreshWaitSeconds * 1000,
    },
    unknown: new Unknown({
      perMinute: limits.unknownPerMinute,
      entries: limits.notFound,
      believedMs: limits.notFoundSeconds * 1000,
      now,
    }),
    allowed: allowance(config),
    limit: limits.repositories,
  });
  metrics.observe({
    repositories: () => observed(repositories),
    cacheBytes: () => ({ files: cache.bytes, listings: listings.bytes, releases: reads.bytes }),
  });
  const handler = createHandler({ config, repositories, files: new FileSender({ config, upstream, cache }), metrics, log });
  const listener = await listenOn(config.listen, handler, { tls: config.tls, log });
  const health = config.health && (await startHealthServer(config.health, () => ({}), metrics.registry));
  return {
    port: listener.port,
    metrics,
    async close() {
      const answered = listener.close(limits.shutdownSeconds * 1000);
      cache.stop();
      await answered;
      health?.close();
      repositories.stop();
      await github.close();
    },
  };
}

function* observed(repositories: Repositories) {
  for (const { key, answer } of repositories.offered()) {
    const { offered, ageSeconds } = answer;
    yield { key, ageSeconds, leftOut: offered.leftOut.length, versions: offered.versions.length };
  }
}
