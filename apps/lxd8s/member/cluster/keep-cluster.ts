import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import { messageOf } from '#libs/errors/platform-error.js';
import type { Logger } from '#libs/logging/logger.js';
import type { OwnMember } from '#libs/lxd/own-member.js';
import type { KeepPreseed } from '../preseed/keep-preseed.js';
import type { Marker } from '../volumes/marker.js';
import { noteCluster } from '../volumes/volumes.js';
import { leafPem, type Pair, readPair, rotationOf } from './certificate.js';
import type { JoinServer } from './join-server.js';
import { keepRecord } from './keep-record.js';
import type { Cluster, ClusterRecord } from './record.js';

export interface KeepClusterParts {
  readonly config: Lxd8sMemberConfig;
  readonly lxd: OwnMember;
  readonly record: ClusterRecord;
  readonly joins: JoinServer;
  readonly preseed: KeepPreseed | undefined;
  readonly log: Logger;
}

/** What a member that is in the cluster keeps: the record, the door for new members, and, one member for all, certificate and preseed. */
export class KeepCluster {
  readonly #parts: KeepClusterParts;
  readonly #problems = new Map<string, string>();
  #id: string | undefined;

  constructor(parts: KeepClusterParts) {
    this.#parts = parts;
  }

  /** The cluster's id, once it is known. */
  get id(): string | undefined {
    return this.#id;
  }

  problems(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#problems);
  }

  /** Undefined: there is none any more. Each is told once. */
  problem(part: string, why: string | undefined): void {
    if (why !== undefined && this.#problems.get(part) !== why) this.#parts.log.warn({ part, why }, 'not as it should be');
    if (why === undefined) this.#problems.delete(part);
    else this.#problems.set(part, why);
  }

  close(): Promise<void> {
    return this.#parts.joins.close();
  }

  /** One look at all of it. What cannot be done now hinders nothing else; the mark of the volume is given back, with the cluster in it. */
  async keep(volume: Marker, signal: AbortSignal): Promise<Marker> {
    const { config, lxd, record, joins, preseed } = this.#parts;
    const online = (await lxd.members({ signal })).filter(({ status }) => status === 'Online').map(({ server_name }) => server_name);
    const role = lowest(online) === config.member ? 'keeper' : 'other';
    const claimed = await record.read(signal).catch(() => undefined);
    // Before anybody can have pinned the one that LXD made; without it the cluster is made all the same.
    if (claimed?.phase === 'claimed') await this.attempt('certificate', () => this.#certificate(claimed, signal));
    const kept = { lxd, record, folder: config.lxd.folder, member: config.member, volume: volume.uid, role } as const;
    const before = await this.attempt('record', () => keepRecord(kept, signal));
    this.#id = before?.id ?? this.#id;
    await this.attempt('joins', () => joins.ensure());
    if (role === 'keeper') {
      if (before) await this.attempt('certificate', () => this.#certificate(before, signal));
      await preseed?.apply(online, signal);
      if (preseed) this.problem('preseed', preseed.view().problems.join('; ') || undefined);
    }
    return this.#id === undefined ? volume : noteCluster(config, volume, this.#id);
  }

  async #certificate(cluster: Cluster, signal: AbortSignal): Promise<void> {
    const { config, lxd, record, log } = this.#parts;
    const { certificate: wanted } = config;
    if (!wanted) return;
    const pair: Pair = await readPair(wanted.folder);
    const present = leafPem(await readFile(join(config.lxd.folder, 'cluster.crt'), 'utf8'));
    const rotation = rotationOf({
      present,
      wanted: pair.certificate,
      announced: cluster.certificates,
      announcedAt: cluster.announcedAt,
      announceSeconds: wanted.announceSeconds,
      cluster: cluster.phase === 'claimed' ? 'forming' : 'formed',
      now: Date.now(),
    });
    if (rotation.step === 'announce') {
      const certificates = `${present.trim()}\n${leafPem(pair.certificate).trim()}\n`;
      await record.changeInTurn((now) => ({ ...now, certificates, announcedAt: new Date().toISOString() }), signal);
      log.info({ inSeconds: wanted.announceSeconds }, 'a new certificate is announced');
    }
    if (rotation.step === 'switch') {
      await lxd.replaceCertificate(pair, { signal });
      log.info('the certificate is replaced');
    }
  }

  /** What goes wrong is a problem of that part, until it succeeds. */
  async attempt<T>(part: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.problem(part, undefined);
      return result;
    } catch (error) {
      this.problem(part, messageOf(error));
      return undefined;
    }
  }
}

/** `lxd-2` before `lxd-10`. */
function lowest(members: readonly string[]): string | undefined {
  const number = (member: string) => Number(/\d+$/.exec(member)?.[0] ?? Number.POSITIVE_INFINITY);
  return [...members].sort((a, b) => number(a) - number(b))[0];
}
