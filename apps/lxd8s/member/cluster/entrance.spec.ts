import { describe, expect, test } from '@jest/globals';
import { type EntranceQuestion, entranceOf, type Peer } from './entrance.js';
import type { Cluster } from './record.js';

const CLAIMED: Cluster = { id: 'c', phase: 'claimed', claim: { member: 'lxd-0', volume: 'v0' }, certificates: '', volumes: {} };
const FORMED: Cluster = { ...CLAIMED, phase: 'formed' };
const ALONE: Peer = { at: '10.0.0.2', is: 'alone', member: 'lxd-1' };
const CLUSTERED: Peer = { at: '10.0.0.3', is: 'clustered', member: 'lxd-2' };
const SILENT: Peer = { at: '10.0.0.4', is: 'silent', why: 'timeout' };

type Row = readonly [what: string, question: Partial<EntranceQuestion>, step: string, why?: string];
const ROWS: readonly Row[] = [
  ['the first member alone claims', {}, 'claim'],
  ['the first member among others that are in no cluster claims', { peers: [ALONE] }, 'claim'],
  ['the first member does not claim while one is silent', { peers: [ALONE, SILENT] }, 'wait', '10.0.0.4'],
  ['nobody claims while another is in a cluster', { peers: [SILENT, CLUSTERED] }, 'wait', 'lxd-2 is to write it again'],
  ['another than the first never claims', { member: 'lxd-1' }, 'wait', 'lxd-0 is to make the cluster'],
  ['a member 10 is not the first', { member: 'lxd-10' }, 'wait', 'lxd-0 is to make'],
  ['with its own claim it makes the cluster', { record: CLAIMED }, 'bootstrap'],
  ['with its own claim of a volume that is gone it claims again: no cluster was made', { record: CLAIMED, volume: 'v1' }, 'reclaim'],
  ['with the claim of another it waits', { record: CLAIMED, member: 'lxd-1' }, 'wait', 'lxd-0 makes the cluster'],
  ['once there is a cluster it joins', { record: FORMED, member: 'lxd-1' }, 'join'],
  ['the first one, too, on a new volume: it never makes a second', { record: FORMED, volume: 'v9' }, 'join'],
];

describe('a member whose LXD is in no cluster', () => {
  test.each(ROWS.map(([what, question, step, why = '']) => ({ what, question, step, why })))('$what', ({ question, step, why }) => {
    const answer = entranceOf({ member: 'lxd-0', volume: 'v0', record: undefined, peers: [], ...question });
    expect(answer.step).toBe(step);
    expect(answer.step === 'wait' ? answer.why : '').toContain(why);
  });
});
