import { randomUUID } from 'node:crypto';
import type { Lxd8sMemberConfig } from '#libs/config/lxd8s-member.js';
import type { Logger } from '#libs/logging/logger.js';
import type { MemberSetting, OwnMember } from '#libs/lxd/own-member.js';
import type { Preseed } from '../preseed/schema.js';
import { askToJoin } from './ask-to-join.js';
import { type Entrance, entranceOf } from './entrance.js';
import { addressesOfOthers, askPeers } from './peers.js';
import { type ClusterRecord, isRace } from './record.js';
import { inTurn } from './turn.js';

export interface EnterParts {
  readonly config: Lxd8sMemberConfig;
  readonly lxd: OwnMember;
  readonly record: ClusterRecord;
  /** Uid of this member's volume. */
  readonly volume: string;
  readonly preseed: Preseed | undefined;
  readonly log: Logger;
}

/** One step of a member whose LXD is in no cluster, to one. Tells what is next, or what it waits for. @throws what hindered the step. */
export async function enter(parts: EnterParts, signal: AbortSignal): Promise<string> {
  const { config, lxd, record, volume, log } = parts;
  const { member } = config;
  const known = await record.read(signal);
  const peers = known ? [] : await askPeers(await addressesOfOthers(config.domain), config.listen.port, signal);
  const entrance: Entrance = entranceOf({ member, volume, record: known, peers });
  if (entrance.step === 'wait') return entrance.why;
  if (entrance.step === 'claim') {
    const claim = { member, volume };
    await record.create({ id: randomUUID(), phase: 'claimed', claim, certificates: '', volumes: {} }).catch(unlessRace);
    return 'it makes the cluster';
  }
  if (entrance.step === 'reclaim') {
    const mine = (now: { claim: { member: string }; phase: string }) => now.phase === 'claimed' && now.claim.member === member;
    await record.change((now) => (mine(now) ? { ...now, claim: { member, volume } } : now), signal).catch(unlessRace);
    return 'it makes the cluster';
  }
  if (entrance.step === 'bootstrap') {
    await lxd.bootstrap({ name: member, address: addressOf(config, member) }, { signal });
    log.info({ member }, 'the cluster is made');
    return 'the cluster is made';
  }
  return join(parts, known?.certificates ?? '', signal);
}

/** Under which the others know a member, whatever its pod's address is. */
export function addressOf({ domain, lxd }: Lxd8sMemberConfig, member: string): string {
  return `${member}.${domain}:${lxd.port}`;
}

async function join({ config, lxd, record, volume, preseed, log }: EnterParts, certificates: string, signal: AbortSignal): Promise<string> {
  const { member } = config;
  const { port, token } = config.join;
  const others = await addressesOfOthers(config.domain);
  const admission = await askToJoin({ addresses: others, port, token, certificates, volume }, signal);
  const request = {
    name: member,
    address: addressOf(config, member),
    clusterAddress: admission.addresses[0] ?? '',
    clusterCertificate: admission.certificate,
    token: admission.token,
    settings: settingsFor(admission.settings, preseed),
  };
  await inTurn({ member, record, log }, () => lxd.join(request, { signal }), signal);
  log.info({ member, by: admission.addresses[0] }, 'joined the cluster');
  return 'it has joined the cluster';
}

/** This member's own part of pools and networks, as the preseed says; what it does not speak of LXD chooses. */
function settingsFor(asked: readonly MemberSetting[], preseed: Preseed | undefined): MemberSetting[] {
  return asked.map((setting) => {
    const list = setting.entity === 'storage-pool' ? preseed?.storage_pools : setting.entity === 'network' ? preseed?.networks : undefined;
    return { ...setting, value: list?.find(({ name }) => name === setting.name)?.config[setting.key] ?? '' };
  });
}

function unlessRace(error: unknown): void {
  if (!isRace(error)) throw error;
}
