import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { parseAllDocuments } from 'yaml';
import { projectRoot } from '#lab/project.js';
import { waitFor } from '#lab/wait.js';
import { type KubernetesRecorder, startKubernetesRecorder } from '../support/kubernetes-recorder.js';
import { openSession, report, type Session } from '../support/lab-session.js';
import type { Member } from '../support/members.js';
import { type RbacObject, rightsOf } from '../support/rights.js';

let session: Session;
let recorder: KubernetesRecorder;
beforeAll(async () => {
  session = await openSession();
  recorder = await startKubernetesRecorder(session.lab.kubeconfigOf('webspaces-worker'));
  await session.lab.process('worker').restart({
    env: {
      WEBSPACES__KUBERNETES__KUBECONFIG: recorder.kubeconfig,
      WEBSPACES__PLATFORM__ADDRESS_REST_SECONDS: '0',
      WEBSPACES__IDLE_STOP__ENABLED: 'true',
      WEBSPACES__IDLE_STOP__EVERY_SECONDS: '5',
    },
  });
}, 180_000);
afterAll(async () => {
  await session?.lab.process('worker').restart();
  await recorder?.close();
  await session?.close();
}, 180_000);

/** All that the Role of the worker allows. */
function allowed(): string[] {
  const documents = parseAllDocuments(readFileSync(join(projectRoot(), 'deploy', 'chart', 'files', 'rbac', 'worker.yaml'), 'utf8'));
  return rightsOf(
    documents.map((document) => document.toJS() as RbacObject),
    'webspaces-worker',
    'webspaces',
  );
}

async function internalOf(claim: string): Promise<unknown> {
  return ((await session.cluster.find('portForward', claim))?.['spec'] as { internal?: number } | undefined)?.internal;
}

describe('the Role of the worker', () => {
  it('allows all that its operations and sweeps need, and nothing that they do not', async () => {
    const { cluster, lab, members, sweeps } = session;
    const [one, two] = members.some(2) as [Member, Member];
    await members.running(one, two);
    await members.expect(204, one, 'PUT', '/state');
    await members.expect(204, one, 'DELETE', '/state');
    await members.expect(204, one, 'POST', '/state');
    await members.expect(200, two, 'PATCH', '/config', { sniPassthrough: true });
    expect(await cluster.has('ingressRouteTcp', two.webspace)).toBe(true);
    await members.expect(201, two, 'POST', '/ports/60022/22');
    expect(await cluster.has('portForward', 'tcp-60022')).toBe(true);
    const again = { ports: { remove: [{ external: 60_022 }], add: [{ external: 60_022, internal: 2_222 }] } };
    expect((await lab.api({ id: two.id }, 'PATCH', `/v2/webspaces/${two.webspace}`, again)).status).toBe(202);
    await waitFor('the claim to say so', async () => (await internalOf('tcp-60022')) === 2_222, { timeoutMs: 10_000 });
    await members.expect(200, two, 'PATCH', '/config', { sniPassthrough: false });
    expect(await cluster.has('ingressRoute', two.webspace)).toBe(true);
    await members.writeRecord(two, { ...(await members.record(two)), ports: [], domains: ['role.example'] });
    await members.expect(204, two, 'PATCH', '/state');
    await waitFor('a certificate', () => cluster.has('secret', `${two.webspace}.role.example`), { timeoutMs: 20_000 });
    await members.writeRecord(two, { ...(await members.record(two)), domains: [] });
    await members.expect(204, two, 'PATCH', '/state');
    await sweeps.run();
    expect(await cluster.has('secret', `${two.webspace}.role.example`)).toBe(false);
    expect(await cluster.has('portForward', 'tcp-60022')).toBe(false);
    lab.dns.set({ 'role.example.org': { txt: [`webspace:id:${one.id}`] } });
    await members.expect(204, one, 'POST', '/domains/role.example.org');
    lab.dns.clear();
    expect(await sweeps.verifyDomains()).toMatchObject({ refuted: 1 });
    await cluster.removeEverything();
    await sweeps.run();
    // A claim that is missing closes new claims until it is back.
    await cluster.remove('domain', `${one.username}.${lab.profile.baseDomain}`);
    await sweeps.run();
    await members.delete(one);
    await lab.lxc(['delete', '--force', two.webspace]);
    await waitFor('the other to be gone', async () => (await members.leftOf(two)).length === 0, { timeoutMs: 20_000 });
    await sweeps.run();

    expect(recorder.forbidden).toEqual([]);
    report('permissions used', `${recorder.used.size} of ${allowed().length} allowed`);
    expect(allowed()).toEqual([...recorder.used].sort());
  }, 180_000);
});
