import { readFileSync } from 'node:fs';
import { connect } from 'node:tls';
import type { Lab } from '#lab/harness.js';

export interface TlsVisit {
  /** The lab's authority vouches for the certificate and its name. */
  readonly trusted: boolean;
  /** The names that the certificate is for. */
  readonly names: readonly string[];
  readonly status: number;
  readonly body: string;
}

/** A visitor with that host name in SNI and Host, who looks at the certificate and goes on whatever it says. */
export function visitHost(lab: Lab, host: string): Promise<TlsVisit> {
  const ca = readFileSync(lab.caFile, 'utf8');
  return new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: lab.profile.ports.websecure, servername: host, ca, rejectUnauthorized: false };
    const socket = connect(options, () => {
      const { subjectaltname = '' } = socket.getPeerCertificate();
      const names = subjectaltname.split(', ').map((name) => name.replace(/^DNS:/, ''));
      const trusted = socket.authorized;
      let answer = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        answer += text;
      });
      socket.on('end', () => resolve({ trusted, names, status: Number(answer.split(' ')[1]), body: answer }));
      socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    });
    socket.setTimeout(10_000, () => socket.destroy(new Error(`${host}: no answer within 10 s`)));
    socket.once('error', reject);
  });
}

const ends = new Set<() => Promise<unknown>>();

/** Visits the hosts again and again; `seen` ends that and gives every kind of answer that any of them gave. */
export function visitAllTheTime(lab: Lab, hosts: readonly string[]): { seen(): Promise<string[]> } {
  const kinds = new Set<string>();
  let stopped = false;
  const visits = hosts.map(async (host) => {
    while (!stopped) {
      const kind = await visitHost(lab, host).then(
        ({ trusted, status }) => `${trusted ? 'trusted' : 'not trusted'} ${status}`,
        (error: unknown) => String(error),
      );
      kinds.add(kind);
    }
  });
  const seen = async () => {
    stopped = true;
    ends.delete(seen);
    await Promise.all(visits);
    return [...kinds].sort();
  };
  ends.add(seen);
  return { seen };
}

/** Ends the visits that a failed test left. */
export async function endVisits(): Promise<void> {
  await Promise.all([...ends].map((end) => end()));
}
