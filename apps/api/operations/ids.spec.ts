import { describe, expect, test } from '@jest/globals';
import { canonicalJson, operationIdFor, uidFor, uuidV7 } from './ids.js';

describe('ids of operations', () => {
  test('are UUIDs of version 7 that sort by time', () => {
    const ids = [uuidV7(1_700_000_000_000), uuidV7(1_700_000_000_001), uuidV7(1_800_000_000_000)];
    expect([...ids].sort()).toEqual(ids);
    for (const id of ids) expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  test('follow from caller, route and key, and from nothing else', () => {
    const base = { subject: '12', route: 'POST /v1/webspace ws-u12', key: 'k' };
    expect(operationIdFor(base)).toBe(operationIdFor({ ...base }));
    const others = [
      { ...base, subject: '13' },
      { ...base, route: 'POST /v2/webspaces ws-u12' },
      { ...base, key: 'l' },
      { subject: '1', route: `2${base.route}`, key: 'k' },
    ];
    expect(new Set([base, ...others].map(operationIdFor)).size).toBe(5);
  });

  test('give the same uid again, and never the operation id itself', () => {
    const id = uuidV7();
    expect(uidFor(id)).toBe(uidFor(id));
    expect(uidFor(id)).not.toBe(id);
  });
});

test('bodies that mean the same are written the same', () => {
  expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: null })).toBe(canonicalJson({ a: null, b: [{ c: 2, d: 1 }] }));
});
