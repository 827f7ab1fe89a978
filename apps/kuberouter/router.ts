import type { Logger } from 'pino';
import type { KuberouterConfig } from '#libs/config/kuberouter.js';
import { macOf } from '#libs/domain/lan.js';
import { isPlatformError, messageOf } from '#libs/errors/platform-error.js';
import { type DnsmasqFiles, readIfThere } from './dnsmasq/files.js';
import { LeaseClock } from './dnsmasq/lease-clock.js';
import { parseLeases } from './dnsmasq/leases.js';
import { releaseLeases } from './dnsmasq/release.js';
import { renderConfig, renderNames, renderReservations } from './dnsmasq/render.js';
import type { Dnsmasq } from './dnsmasq/supervisor.js';
import { ensureForwarding } from './forwarding.js';
import type { LanLink, Link } from './link.js';
import { Problems } from './problems.js';
import { type Reservations, reservationsOf } from './reservations.js';
import type { Rules } from './rules/rules.js';
import type { RuleSets } from './rules/sets.js';
import type { LeaseCopy } from './standby/lease-copy.js';
import type { WebspaceView } from './webspaces.js';

export interface RouterParts {
  readonly config: KuberouterConfig;
  readonly files: DnsmasqFiles;
  readonly webspaces: { readonly synced: boolean; all(): Iterable<WebspaceView>; get(name: string): WebspaceView | undefined };
  readonly rules: Rules;
  readonly link: LanLink;
  readonly dnsmasq: Dnsmasq;
  /** Undefined where there is no standby. */
  readonly leaseCopy: LeaseCopy | undefined;
  /** Whose rights dnsmasq keeps. */
  readonly user: string | undefined;
  readonly log: Logger;
}

const EVERY_MS = 1_000;
/** Rules are compared with the kernel's so often: somebody may have changed them. */
const LOOK_MS = 10_000;

/**
 * Keeps kernel and dnsmasq at what configuration and webspaces ask for: every second, and at once when a webspace changes. What fails is a problem
 * of its part and tried again; the other parts go on. The rules are there on a standby, too, before it routes anything.
 */
export class Router {
  readonly #parts: RouterParts;
  readonly #leaseClock: LeaseClock;
  readonly problems: Problems;
  #active = false;
  #ending = false;
  #timer: NodeJS.Timeout | undefined;
  #turn: Promise<void> = Promise.resolve();
  #again = false;
  #busy = false;
  #lookedAt = Number.NEGATIVE_INFINITY;
  #link: Link | undefined;
  /** For which state of affairs a whole round was done. */
  #settledFor: string | undefined;
  #served: Reservations = { reservations: [], conflicts: [] };

  constructor(parts: RouterParts) {
    this.#parts = parts;
    const { log, files } = parts;
    this.#leaseClock = new LeaseClock(files);
    this.problems = new Problems((part, problem) =>
      problem === undefined ? log.info({ part }, 'works again') : log.warn({ part, problem }, 'does not work, trying again'),
    );
  }

  get active(): boolean {
    return this.#active;
  }

  /** Whether kernel and dnsmasq have been brought to what is known now at least once. */
  get settled(): boolean {
    return this.#settledFor === this.#affairs();
  }

  get link(): Link | undefined {
    return this.#link;
  }

  get served(): Reservations {
    return this.#served;
  }

  /** Looks at everything soon. */
  wake(): void {
    if (this.#ending) return;
    if (this.#busy) {
      this.#again = true;
      return;
    }
    this.#busy = true;
    clearTimeout(this.#timer);
    this.#turn = this.#round().finally(() => {
      this.#busy = false;
      if (this.#again) return this.wake();
      if (!this.#ending) this.#timer = setTimeout(() => this.wake(), EVERY_MS);
    });
  }

  /** Holds the router's addresses and serves from now on. @throws PlatformError UNAVAILABLE when it cannot be told which leases others have given. */
  async activate(): Promise<void> {
    await this.#restoreLeases();
    this.#active = true;
    this.wake();
  }

  /** Lets addresses and service go; connections that pass here go on as long as packets come. */
  async standBy(): Promise<void> {
    this.#active = false;
    this.#parts.leaseCopy?.forget();
    this.wake();
  }

  /** Ends dnsmasq. Addresses and rules stay for the process that comes next, unless another router takes over. */
  async end({ keepAddresses }: { readonly keepAddresses: boolean }): Promise<void> {
    this.#ending = true;
    await this.#turn;
    clearTimeout(this.#timer);
    await this.#parts.dnsmasq.stop();
    await this.#copyLeases({ pressing: true });
    if (!keepAddresses && this.#link) await this.#parts.link.letGo(this.#link);
  }

  async #round(): Promise<void> {
    this.#again = false;
    const affairs = this.#affairs();
    const { config, webspaces } = this.#parts;
    const served = reservationsOf(webspaces.all(), config.lan);
    if (webspaces.synced) this.#served = served;
    await this.problems.during('rules', () => this.#bringRules());
    await this.problems.during('forwarding', () => ensureForwarding(config.lan.ipv6 ? [4, 6] : [4]));
    await this.problems.during('interface', () => this.#bringLink());
    await this.problems.during('dnsmasq', () => this.#bringDnsmasq());
    this.#settledFor = affairs;
    await this.#copyLeases();
  }

  #affairs(): string {
    return `${this.#active ? 'active' : 'standby'} ${this.#parts.webspaces.synced}`;
  }

  async #bringRules(): Promise<void> {
    const look = performance.now() - this.#lookedAt > LOOK_MS;
    if (look) this.#lookedAt = performance.now();
    const done = await this.#parts.rules.bring(this.#sets(), { look });
    if (done === 'replaced') this.#parts.log.info('rules are in the kernel');
  }

  #sets(): RuleSets {
    const { config, webspaces } = this.#parts;
    const { reservations } = this.#served;
    return {
      exempt: reservations.filter(({ name }) => config.egress.exempt.includes(name)).map(({ address }) => address),
      served: reservations.flatMap(({ name, address }) =>
        (webspaces.get(name)?.ports ?? []).map(({ protocol, internal }) => ({ address, protocol, port: internal })),
      ),
      subnet6: config.lan.ipv6?.subnet,
    };
  }

  async #bringLink(): Promise<void> {
    const { link, dnsmasq, config } = this.#parts;
    const before = this.#link;
    this.#link = await link.look();
    // dnsmasq's sockets belong to the interface that was.
    if (before && before.index !== this.#link?.index) await dnsmasq.stop();
    if (!this.#link) throw new Error(`The interface ${config.lan.interface} is not there, or not up.`);
    if (!this.#active) await link.letGo(this.#link);
    else if (await link.hold(this.#link)) this.#link = await link.look();
  }

  async #bringDnsmasq(): Promise<void> {
    const { config, files, webspaces, dnsmasq, user } = this.#parts;
    await this.#followClock();
    if (!this.#active || !this.#link) return dnsmasq.stop();
    const { reservations } = this.#served;
    const kept = webspaces.synced
      ? { reservations: renderReservations(reservations), names: renderNames(reservations, config.lan) }
      : undefined;
    await dnsmasq.bring({ config: renderConfig({ ...config, files, mtu: this.#link.mtu, user }), kept });
    if (webspaces.synced) await this.#releaseGone();
  }

  async #followClock(): Promise<void> {
    const seconds = this.#leaseClock.look();
    if (seconds === undefined) return;
    const { dnsmasq, log } = this.#parts;
    log.warn({ seconds }, 'the clock was set, leases move with it');
    await dnsmasq.stop();
    this.#leaseClock.move(seconds);
  }

  /** Leases of webspaces that have no reservation any more: their names must be free at once. */
  async #releaseGone(): Promise<void> {
    const { config, files } = this.#parts;
    const reserved = new Set(this.#served.reservations.map(({ address }) => address));
    const leases = parseLeases(readIfThere(files.leases) ?? '');
    const gone = leases.filter(({ address, mac }) => mac === macOf(address) && !reserved.has(address));
    await releaseLeases(config.lan.ipv4.router, gone);
  }

  async #restoreLeases(): Promise<void> {
    const { leaseCopy } = this.#parts;
    if (!leaseCopy) return;
    try {
      await leaseCopy.restore();
    } catch (error) {
      // A copy that cannot be read never will be: better to serve without it.
      if (isPlatformError(error) && error.retryable) throw error;
      this.problems.set('leases', messageOf(error));
    }
  }

  async #copyLeases(how: { readonly pressing: boolean } = { pressing: false }): Promise<void> {
    const { leaseCopy } = this.#parts;
    if (leaseCopy && this.#active) await this.problems.during('leases', () => leaseCopy.copy(how));
  }
}
