import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, jest, test } from '@jest/globals';
import { SCALE_QUERY } from '#libs/contracts/scalings.js';
import { UPGRADE_QUERY } from '#libs/contracts/upgrades.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import { detailOf } from '../testing/operations-fake.js';
import { exampleScalePlan, exampleScaleView, SCALE_ID } from '../testing/scale-example.js';
import { startTestApi, type TestApi } from '../testing/test-api.js';
import { examplePlan, exampleReport, exampleView, UPGRADE_ID } from '../testing/upgrade-example.js';

// Each command is a process of its own.
jest.setTimeout(60_000);
let api: TestApi;
const token = join(mkdtempSync(join(tmpdir(), 'webspaces-token-')), 'root');
beforeAll(async () => {
  writeFileSync(token, 'root\n');
  api = await startTestApi();
  await api.app.listen(0, '127.0.0.1');
});
afterAll(() => api.app.close());
beforeEach(() => {
  const root = { owner: 'cluster-lab', requestedBy: { subject: '1', username: 'root' } };
  api.operations.details.clear();
  api.operations.details.set(UPGRADE_ID, detailOf(UPGRADE_ID, { kind: 'upgrade', name: 'cluster-lab', ...root }));
  api.operations.told.set(`${UPGRADE_QUERY} of ${UPGRADE_ID}`, exampleView());
  api.operations.seen.set('look', ['lab']);
  api.operations.orders.length = 0;
  api.operations.answer = { answer: 'It goes on.' };
});

const upgrade = (...args: string[]) => call('upgrade', args);
const scale = (...args: string[]) => call('scale', args);

function call(group: string, args: string[]): Promise<{ readonly code: number; readonly out: string; readonly err: string }> {
  const { port } = api.app.getHttpServer().address() as AddressInfo;
  const given = ['tools/webspaces.mjs', group, ...args, '--api', `http://127.0.0.1:${port}/`, '--token', token, '--cluster', 'lab'];
  return new Promise((resolve) => {
    execFile(process.execPath, given, (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }));
  });
}

test('plan tells the plan and its hash, and starts nothing but a dry run', async () => {
  api.operations.outcome = { result: exampleReport({ phase: 'planned', summary: '' }) };
  const { code, out } = await upgrade('plan', 'registry.example.org/lxd:6', '--env', 'A=b=c');
  expect(code).toBe(0);
  expect(out).toContain(`rolling ${examplePlan().hash}`);
  expect(api.operations.started.at(-1)?.input).toMatchObject({ dryRun: true, environment: { A: 'b=c' } });
});

test('status tells what is waited for; skip reaches the gate with its reason', async () => {
  expect((await upgrade('status')).out).toMatch(/running\n[\s\S]*waits for members-online: lxd-0 is Offline\./);
  expect(await upgrade('skip', 'volumes-settled', '--reason', 'the disk is being replaced')).toEqual({
    code: 0,
    out: 'It goes on.\n',
    err: '',
  });
  const argument = { gate: 'volumes-settled', reason: 'the disk is being replaced', by: { subject: '1', username: 'root' } };
  expect(api.operations.orders).toEqual([{ id: UPGRADE_ID, update: 'skip', argument }]);
});

test('a refusal is told in its words with exit code 1, a wrong call with 2', async () => {
  api.operations.answer = new PlatformError('CONFLICT', 'The upgrade is not paused: it is running.');
  expect(await upgrade('resume')).toMatchObject({ code: 1, err: '409: The upgrade is not paused: it is running.\n' });
  expect(await upgrade('skip', 'agreement')).toMatchObject({ code: 2, err: expect.stringContaining('--reason') });
  expect(await upgrade('explode')).toMatchObject({ code: 2, err: expect.stringContaining('Usage') });
  expect(api.operations.orders).toEqual([]);
});

test('a scaling is planned, followed and ordered by the same commands', async () => {
  api.operations.outcome = { result: { ...exampleScaleView(), phase: 'planned', summary: '' } };
  const { out } = await scale('plan', '2', '--volumes', 'delete');
  expect(out).toContain(`shrink ${exampleScalePlan().hash}\n  from 3 to 2\n  going: lxd-2\n  WARNING `);
  expect(api.operations.started.at(-1)?.input).toMatchObject({ dryRun: true, replicas: 2, volumes: 'delete' });
  const root = { owner: 'cluster-lab', requestedBy: { subject: '1', username: 'root' } };
  api.operations.details.clear();
  api.operations.details.set(SCALE_ID, detailOf(SCALE_ID, { kind: 'scale', name: 'cluster-lab', ...root }));
  api.operations.told.set(`${SCALE_QUERY} of ${SCALE_ID}`, exampleScaleView());
  expect((await scale('status')).out).toMatch(/running\n[\s\S]*waits for member-empty: On lxd-2/);
  expect(await scale('skip', 'member-empty', '--reason', 'nothing on it')).toMatchObject({ code: 0, out: 'It goes on.\n' });
  expect(api.operations.orders).toMatchObject([{ id: SCALE_ID, update: 'skip', argument: { gate: 'member-empty' } }]);
  expect(await scale('start', 'many')).toMatchObject({ code: 1, err: expect.stringContaining('400') });
});

test('what only the other one may be asked with is a wrong call', async () => {
  const begun = api.operations.started.length;
  expect(await upgrade('start', 'registry.example.org/lxd:6', '--volumes', 'delete')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--volumes'),
  });
  expect(await scale('report', '--html')).toMatchObject({ code: 2, err: expect.stringContaining('--html') });
  expect(api.operations.started).toHaveLength(begun);
});
