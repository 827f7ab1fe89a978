import type { DnsName } from '#lab/dns.js';
import type { HttpAnswer } from '#lab/http.js';
import { proofFor } from '#libs/domain/proof.js';
import type { Session } from './lab-session.js';
import type { Member } from './members.js';

/** The TXT records that prove a name to be all of theirs. */
export function proof(...members: readonly Member[]): DnsName {
  return { txt: members.map(({ id }) => proofFor(String(id))) };
}

/** The custom domains of two members, as they and the cluster see them. */
export class Domains {
  constructor(
    readonly session: Session,
    readonly alice: Member,
    readonly bob: Member,
  ) {}

  /** One webspace that runs and one that is off. */
  static async of(session: Session): Promise<Domains> {
    const [alice, bob] = session.members.some(2) as [Member, Member];
    await session.members.running(alice);
    await session.members.create(bob);
    return new Domains(session, alice, bob);
  }

  async removeAll(): Promise<void> {
    for (const member of [this.alice, this.bob]) {
      for (const domain of (await this.session.members.record(member)).domains) await this.ask(204, member, 'DELETE', domain);
    }
  }

  ask(status: number, member: Member, method: string, domain: string): Promise<HttpAnswer> {
    return this.session.members.expect(status, member, method, `/domains/${encodeURIComponent(domain)}`);
  }

  async listed(member: Member): Promise<string[]> {
    return JSON.parse((await this.session.members.expect(200, member, 'GET', '/domains')).body) as string[];
  }

  defaultHost({ username }: Member): string {
    return `${username}.${this.session.lab.profile.baseDomain}`;
  }

  claimed(domain: string): Promise<boolean> {
    return this.session.cluster.has('domain', domain);
  }

  /** The webspace that holds the name. */
  async holder(domain: string): Promise<string | undefined> {
    return ((await this.session.cluster.find('domain', domain))?.['spec'] as { webspace: string } | undefined)?.webspace;
  }
}
