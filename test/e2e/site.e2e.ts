import { readFileSync } from 'node:fs';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { http } from '#lab/http.js';
import { openSession, type Session } from '../support/lab-session.js';

let session: Session;
beforeAll(async () => {
  session = await openSession();
}, 180_000);
afterAll(() => session?.close(), 120_000);

describe('the site of a webspace', () => {
  it('is served from inside the container, over TLS that the certificate authority vouches for', async () => {
    const { lab, members } = session;
    const member = members.one(0);
    await members.running(member);

    const page = await members.served(member);
    expect(page.body).toContain(member.webspace);
    const certificate = await peerCertificate(lab.profile.ports.websecure, `${member.username}.${lab.profile.baseDomain}`, lab.caFile);
    expect(certificate).toBe(true);
    const request = await lab.visit(member.username, '/cgi-bin/request');
    expect(request.status).toBe(200);
  }, 60_000);

  it('comes back after every Kubernetes object of the webspace was deleted by hand and its owner asked for a sync', async () => {
    const { cluster, members } = session;
    const member = members.one(1);
    await members.running(member);
    const { uid } = await members.record(member);
    const before = await members.leftOf(member);

    expect(await cluster.removeEverything(member.webspace)).toBeGreaterThanOrEqual(3);
    await members.expect(204, member, 'PATCH', '/state');

    await members.served(member);
    const owners = await cluster.owners();
    expect(owners[`Domain/${member.username}.ws.localhost`]).toBe(uid);
    const after = await members.leftOf(member);
    expect(after).toEqual(before);
    expect(await cluster.condition(member.webspace)).toMatchObject({ status: 'True', reason: 'InStep' });
  }, 60_000);

  it('is served without a gap while its owner asks for a sync', async () => {
    const { cluster, members } = session;
    const member = members.one(4);
    await members.running(member);
    const before = await cluster.versions([member.webspace]);
    let syncing = true;
    const synced = members.expect(204, member, 'PATCH', '/state').finally(() => {
      syncing = false;
    });
    const statuses = new Set<number>();
    while (syncing) statuses.add((await session.lab.visit(member.username)).status);
    await synced;
    expect([...statuses]).toEqual([200]);
    expect(await cluster.versions([member.webspace])).toEqual(before);
  }, 60_000);

  it('is where a visitor by plain HTTP is sent to', async () => {
    const { lab, members } = session;
    const member = members.one(2);
    const host = `${member.username}.${lab.profile.baseDomain}`;
    const answer = await http(`http://${host}:${lab.profile.ports.web}/some/page?x=1`, { address: '127.0.0.1' });
    expect([301, 302, 307, 308]).toContain(answer.status);
    expect(answer.headers['location']).toBe(`https://${host}:${lab.profile.ports.websecure}/some/page?x=1`);
  });
});

describe('kubectl get webspaces', () => {
  it('shows owner, phase, address, image and age', async () => {
    const { lab, members } = session;
    const member = members.one(3);
    await members.running(member);
    const [header = '', ...rows] = (await lab.kubectl(['get', 'webspaces', '-n', 'webspaces'])).trimEnd().split('\n');
    expect(header.split(/\s+/)).toEqual(['NAME', 'OWNER', 'PHASE', 'ADDRESS', 'IMAGE', 'AGE']);
    const row = rows.find((line) => line.startsWith(`${member.webspace} `))?.split(/\s+/) ?? [];
    const { network } = await members.record(member);
    expect(row.slice(1, 5)).toEqual([member.username, 'running', network.address, 'hello']);
    expect(row[5]).toMatch(/^\d+[smh]/);
  }, 60_000);
});

/** Whether a verified TLS session with that name can be had. */
function peerCertificate(port: number, servername: string, caFile: string): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port, servername, ca: readFileSync(caFile, 'utf8') }, () => {
      resolve(socket.authorized);
      socket.destroy();
    });
    socket.once('error', reject);
  });
}
