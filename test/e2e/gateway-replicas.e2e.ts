import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '#lab/wait.js';
import { startGatewayBeside } from '../support/gateway-beside.js';
import { openSession, report, type Session, times } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { countStarts } from '../support/starts.js';

let session: Session;
let beside: Awaited<ReturnType<typeof startGatewayBeside>>;
beforeAll(async () => {
  session = await openSession();
  beside = await startGatewayBeside(session.lab, session.cluster);
}, 180_000);
afterAll(async () => {
  await beside?.close();
  await session?.close();
}, 120_000);

const VISITORS = times({ short: 60, full: 300 });

/** What each of many visitors at once is told: a status, or why there is none. */
function visits(member: Member): Promise<string>[] {
  const one = async () => String((await session.lab.visit(member.username, '/', { timeoutMs: 60_000 })).status);
  return Array.from({ length: VISITORS }, () => one().catch((error: unknown) => String(error)));
}

function counted(answers: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const answer of answers) counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

/** How many wait in the lab's gateway and in the one beside it. */
async function waiting(): Promise<[number, number]> {
  const { ports } = session.lab.profile;
  const of = async (port: number) => {
    const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    return Number(/^webspaces_gateway_waiting (\d+)$/m.exec(text)?.[1] ?? 0);
  };
  return [await of(ports.gateway), await of(ports.gateway + 3)];
}

/** A webspace whose boot cannot begin before the worker is let go on: visitors of both gateways wait meanwhile. */
async function heldUp(member: Member, meanwhile: () => Promise<unknown>): Promise<string[]> {
  const { lab, members } = session;
  await members.create(member);
  await lab.process('worker').kill('SIGKILL');
  try {
    const answers = Promise.all(visits(member));
    let [here, there] = [0, 0];
    const all = async () => {
      [here, there] = await waiting();
      if (here + there !== VISITORS) throw new Error(`${here} and ${there} wait`);
      return here > VISITORS / 4 && there > VISITORS / 4;
    };
    await waitFor('all visitors in the two gateways', all, { timeoutMs: 20_000, intervalMs: 50 });
    await meanwhile();
    await lab.process('worker').start();
    return await answers;
  } finally {
    await lab.up();
  }
}

describe('two gateways', () => {
  it('start a webspace once between them, and answer all', async () => {
    const member = session.members.one(0);
    const starts = await countStarts(session.lab);
    try {
      expect(counted(await heldUp(member, async () => undefined))).toEqual({ 200: VISITORS });
      expect(starts.of(member.webspace)).toBe(1);
    } finally {
      await starts.close();
    }
  }, 120_000);

  it('of which one is killed: those who waited in it are told so at once, all others are served, it is started once', async () => {
    const { lab, members } = session;
    const member = members.one(1);
    const starts = await countStarts(lab);
    try {
      const counts = counted(await heldUp(member, () => beside.process.kill('SIGKILL')));
      report(`one of two gateways killed while ${VISITORS} wait`, JSON.stringify(counts));
      expect(Object.keys(counts).sort()).toEqual(['200', '502']);
      expect(counts['502']).toBeLessThan(VISITORS * 0.75);
      expect(starts.of(member.webspace)).toBe(1);
      await members.served(member);
    } finally {
      await starts.close();
      await beside.process.start();
    }
  }, 120_000);

  it('of which one is told to end: it serves those who wait in it first', async () => {
    const member = session.members.one(2);
    let ended: Promise<boolean> | undefined;
    const counts = counted(
      await heldUp(member, async () => {
        ended = beside.process.kill('SIGTERM');
      }),
    );
    expect(counts).toEqual({ 200: VISITORS });
    expect(await ended).toBe(true);
    await beside.process.start();
  }, 120_000);
});
