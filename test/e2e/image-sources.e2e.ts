import { createHmac } from 'node:crypto';
import { readFileSync, utimesSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { waitFor } from '#lab/wait.js';
import { IMAGE_SOURCES_SCHEDULE_ID, TASK_QUEUE } from '#libs/contracts/ids.js';
import type { WatchImageSourcesResult } from '#libs/contracts/images.js';
import { imageNameOf } from '#libs/domain/image-evidence.js';
import { type GithubDouble, startGithubDouble } from '#libs/testing/github-double/index.js';
import { ImportLab } from '../support/image-imports.js';
import { githubSettings, ImageReleases, REPOSITORY, writeImageSettings } from '../support/image-releases.js';
import { openSession, report, type Session } from '../support/lab-session.js';

const SOURCES = [
  { source: `github:${REPOSITORY}/followed`, alias: 'followed', policy: 'import', range: '^1' },
  { source: `github:${REPOSITORY}/approved`, alias: 'approved', policy: 'approve' },
];

let session: Session;
let imports: ImportLab;
let github: GithubDouble;
let releases: ImageReleases;
let connection: Connection;
let client: Client;
let rounds = 0;

beforeAll(async () => {
  session = await openSession();
  const { lab } = session;
  github = await startGithubDouble();
  releases = new ImageReleases(github);
  imports = await ImportLab.open(session);
  connection = await Connection.connect({ address: lab.temporalAddress });
  client = new Client({ connection });
  const settings = { ...githubSettings(github), sources: SOURCES, everySeconds: 86_400 };
  writeImageSettings(lab, 'worker', settings);
  writeImageSettings(lab, 'api', { sources: SOURCES });
  await Promise.all([lab.process('worker').restart(), lab.process('api').restart()]);
}, 240_000);
afterAll(async () => {
  await session?.lab.up();
  await imports?.close();
  await connection?.close();
  releases?.close();
  await github?.close();
  await session?.close();
}, 180_000);

function look(): Promise<WatchImageSourcesResult> {
  const workflowId = `image-sources-asked-by-test-${Date.now()}-${++rounds}`;
  return client.workflow.execute('watchImageSources', { workflowId, taskQueue: TASK_QUEUE, args: [] });
}

interface SourceView {
  readonly alias: string;
  readonly current?: { readonly version: string };
  readonly imports: readonly { readonly id: string }[];
}

async function sourceOf(alias: string): Promise<SourceView | undefined> {
  const { sources } = (await session.lab.api('admin', 'GET', '/v2/images/sources')).json<{ sources: SourceView[] }>();
  return sources.find((source) => source.alias === alias);
}

describe('sources that are followed', () => {
  it('are looked at by a Schedule', async () => {
    const handle = client.schedule.getHandle(IMAGE_SOURCES_SCHEDULE_ID);
    await waitFor('the Schedule', () => handle.describe().then(() => true), { timeoutMs: 30_000 });
  }, 60_000);

  it('a new version in the range is imported once; a look at nothing new is one conditional question for each repository', async () => {
    await releases.publish('approved', '1.0.0');
    await releases.publish('followed', '2.0.0');
    const first = await releases.publish('followed', '1.0.0');
    const { begun, checked } = await look();
    expect([checked, begun.length]).toEqual([2, 2]);
    const id = begun.find((each) => each.includes(imageNameOf('followed')));
    expect(await imports.result(String(id))).toMatchObject({ alias: 'followed', version: '1.0.0', fingerprint: first.fingerprint });
    expect(await sourceOf('followed')).toMatchObject({ current: { version: '1.0.0' }, imports: [] });
    github.resetCounts();
    expect(await look()).toMatchObject({ begun: [], known: 1, problems: [] });
    report(
      'a look at nothing new',
      `${github.counts.api} call(s), ${github.counts.notModified} of them 304, for ${SOURCES.length} sources of one repository`,
    );
    expect(github.counts.api).toBe(github.counts.notModified);
    expect(github.counts.api).toBe(1);
  }, 240_000);

  it('wait for an admin where that is the policy: who, until when, and who it was', async () => {
    const wait = (await sourceOf('approved'))?.imports[0];
    const id = String(wait?.id);
    const [{ reason, deadline } = { reason: '', deadline: '' }] = (await imports.read(id)).waits;
    expect(reason).toContain(`an admin's approval of the import of github:${REPOSITORY}/approved@1.0.0 as approved`);
    const days = (Date.parse(deadline ?? '') - Date.now()) / 86_400_000;
    expect(days).toBeGreaterThan(6.9);
    expect(days).toBeLessThanOrEqual(7);
    expect(await imports.imageBehind('approved')).toBeUndefined();
    const approve = (user: 'alice' | 'admin') => session.lab.api(user, 'POST', `/v2/operations/${id}/approve`);
    expect((await approve('alice')).status).toBe(403);
    expect((await approve('admin')).json()).toMatchObject({ approvedBy: { username: 'admin' } });
    expect(await imports.result(id)).toMatchObject({ approvedBy: { username: 'admin' } });
    expect((await imports.imageBehind('approved'))?.properties).toMatchObject({
      'webspaces.approved-by': 'admin',
      'webspaces.imported-by': expect.stringContaining('image sources'),
    });
    expect((await approve('admin')).status).toBe(409);
  }, 180_000);

  it('one that an admin cancelled does not come back by itself', async () => {
    await releases.publish('approved', '1.1.0');
    const [id = ''] = (await look()).begun;
    await imports.cancel(id);
    expect((await imports.ended(id)).status).toBe('cancelled');
    expect(await look()).toMatchObject({ begun: [], problems: [expect.stringContaining('was cancelled')] });
  }, 120_000);
});

describe('the webhook of GitHub', () => {
  const secret = () => readFileSync(join(session.lab.profile.paths.apps, 'webhook.secret'), 'utf8').trim();
  const url = () => `${session.lab.profile.urls.api}/v2/github/webhook`;

  it('brings a release in at once; the same delivery again starts nothing', async () => {
    const next = await releases.publish('followed', '1.2.0');
    const event = { repository: REPOSITORY, tag: 'followed/v1.2.0', deliveryId: 'delivery-of-a-test-1' };
    const begun = Date.now();
    const delivery = await github.deliver(url(), secret(), event);
    expect(delivery).toMatchObject({ status: 202 });
    report('answer to a delivery', `${Date.now() - begun} ms`);
    await waitFor('the new version', async () => (await imports.imageBehind('followed'))?.fingerprint === next.fingerprint, {
      timeoutMs: 120_000,
    });
    github.resetCounts();
    expect((await github.deliver(url(), secret(), event)).status).toBe(202);
    const runs = [];
    for await (const run of client.workflow.list({ query: "WorkflowId = 'webhook:delivery-of-a-test-1'" })) runs.push(run.runId);
    expect(runs).toHaveLength(1);
    expect(github.counts.api).toBe(0);
  }, 180_000);

  it('is refused without the right signature', async () => {
    expect((await github.deliver(url(), 'guessed', { repository: REPOSITORY, tag: 'followed/v1.2.0' })).status).toBe(401);
    const body = '{"zen":"x"}';
    const signature = `sha256=${createHmac('sha256', secret()).update(body).digest('hex')}`;
    const headers = { 'x-github-event': 'ping', 'x-hub-signature-256': signature };
    expect((await fetch(url(), { method: 'POST', body, headers })).status).toBe(202);
  }, 60_000);
});

describe('what nobody needs', () => {
  it('uploads that nobody used for a day go when the API starts, younger ones stay', async () => {
    const [old, young] = [await imports.upload(Buffer.from('old')), await imports.upload(Buffer.from('young'))];
    const { lab } = session;
    const file = join(lab.profile.paths.staging, 'uploads', old.id);
    const then = new Date(Date.now() - 25 * 3_600_000);
    for (const name of [file, `${file}.json`]) utimesSync(name, then, then);
    await lab.process('api').restart();
    const left = () => readdir(join(lab.profile.paths.staging, 'uploads'));
    await waitFor('the old one to go', async () => !(await left()).includes(old.id), { timeoutMs: 30_000 });
    expect(await left()).toContain(young.id);
  }, 120_000);

  it('cached images that nobody uses are pruned only when that is switched on', async () => {
    const fingerprint = await imports.cachedImage();
    expect((await look()).pruned).toEqual([]);
    writeImageSettings(session.lab, 'worker', { prune: { unusedDays: 0.00001 } });
    await session.lab.process('worker').restart();
    await waitFor('the prune', async () => (await look()).pruned.includes(fingerprint), { timeoutMs: 60_000, intervalMs: 1_000 });
    expect((await imports.images()).map((image) => image.fingerprint)).not.toContain(fingerprint);
    expect(await imports.imageBehind('hello')).toBeDefined();
  }, 180_000);
});
