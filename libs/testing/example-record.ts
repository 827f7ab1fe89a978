import type { WebspaceRecord } from '#libs/domain/record.js';

/** A record of alice's webspace, with any part replaced. */
export function exampleRecord(parts: Partial<WebspaceRecord> = {}): WebspaceRecord {
  return {
    schema: 1,
    uid: '0b7f9a51-4e77-4a27-9a3f-0d8f4d1f6a01',
    phase: 'ready',
    createdBy: '01900000-0000-7000-8000-000000000001',
    owner: { id: '1', username: 'alice' },
    http: { port: 80, startupDelaySeconds: 3, sniPassthrough: false },
    domains: [],
    ports: [],
    network: { address: '10.77.128.5' },
    policy: { alwaysOn: false },
    image: { alias: 'hello', fingerprint: 'f'.repeat(64) },
    createdAt: '2026-11-23T12:00:00.000Z',
    ...parts,
  };
}
