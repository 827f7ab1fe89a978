import type { WebspaceFacts } from '#libs/contracts/activities.js';
import { hostsOf } from '#libs/domain/claims.js';
import type { Platform } from '#libs/domain/platform.js';
import { recordSchema, serialiseRecord, type WebspaceRecord } from '#libs/domain/record.js';

/** The part of a record that workflows read, with the whole record for the activities after. */
export function factsOf(record: WebspaceRecord, platform: Platform): WebspaceFacts {
  return {
    uid: record.uid,
    owner: { id: record.owner.id, username: record.owner.username ?? '' },
    host: hostsOf(record, platform.baseDomain)[0] ?? '',
    address: record.network.address ?? '',
    port: record.http.port,
    startupDelaySeconds: record.http.startupDelaySeconds,
    fingerprint: record.image.fingerprint,
    ...(record.ports.length === 0
      ? {}
      : { ports: record.ports.map(({ protocol, external, internal }) => ({ protocol, external, internal })) }),
    record: serialiseRecord(record),
  };
}

export function recordOf(facts: WebspaceFacts): WebspaceRecord {
  return recordSchema.parse(JSON.parse(facts.record));
}
