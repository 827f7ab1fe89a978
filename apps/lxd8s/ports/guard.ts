import { messageOf } from '#libs/errors/platform-error.js';
import type { RunTool } from '#libs/linux/tools.js';
import type { Logger } from '#libs/logging/logger.js';
import { changeScript, type Elements, elementsOf, type Listing, type Port, parseListing } from './elements.js';
import { type Link, type Place, parseLinks, portsOf } from './links.js';
import { REASONS, type Reason, type RuleOptions, TABLE, tableScript } from './rules.js';

export interface GuardOptions extends RuleOptions {
  readonly place: Place;
  readonly run: RunTool;
  /** MACs and addresses by port of the containers on this member, from LXD; asked only when a port's name says nothing. */
  readonly told: (signal: AbortSignal) => Promise<ReadonlyMap<string, Port>>;
  readonly log: Logger;
}

/** What is known of the ports now. */
export interface PortsView {
  /** Whether the rules are in force as far as is known, and why not. */
  readonly guarded: boolean;
  readonly problem?: string;
  readonly webspaces: number;
  readonly strangers: number;
  /** Ports that are closed: nobody has said what they are. */
  readonly closed: readonly string[];
  readonly refused: Readonly<Record<Reason, number>>;
  /** By port. */
  readonly offenders: Readonly<Record<string, number>>;
}

const NOTHING = Object.fromEntries(REASONS.map((reason) => [reason, 0])) as Record<Reason, number>;

/**
 * Keeps the rules of the member's ports at what its interfaces are. A port is closed until it is known, and is cut off from its neighbours
 * before it is opened. Rules stay in the kernel when this process ends, and are taken over by the next; looks must not overlap.
 */
export class PortGuard {
  readonly #options: GuardOptions;
  #elements: Elements | undefined;
  #rules = '';
  #told: ReadonlyMap<string, Port> = new Map();
  #view: PortsView = { guarded: false, problem: 'not looked yet', webspaces: 0, strangers: 0, closed: [], refused: NOTHING, offenders: {} };

  constructor(options: GuardOptions) {
    this.#options = options;
  }

  view(): PortsView {
    return this.#view;
  }

  /**
   * Looks at the interfaces, and at the kernel's rules too when `thorough` or when they are not known. Throws nothing. Gives whether a port
   * is closed for want of knowledge: then look again soon.
   */
  async look(depth: 'interfaces' | 'thorough', signal: AbortSignal): Promise<'known' | 'closed'> {
    try {
      if (depth === 'thorough' || !this.#elements) await this.#readKernel();
      const closed = await this.#align(signal);
      return closed ? 'closed' : 'known';
    } catch (error) {
      if (signal.aborted) return 'known';
      const problem = messageOf(error);
      if (this.#view.problem !== problem)
        this.#options.log.error({ error: problem }, 'ports are not guarded as they should be, trying again');
      this.#elements = undefined;
      this.#rules = '';
      this.#view = { ...this.#view, guarded: false, problem };
      return 'closed';
    }
  }

  async #readKernel(): Promise<void> {
    let listing = this.#rules === '' ? await this.#make() : parseListing(await this.#list());
    if (listing.rules !== this.#rules) {
      if (this.#rules !== '') this.#options.log.warn('somebody changed the rules of ports, putting them right');
      listing = await this.#make();
    }
    this.#rules = listing.rules;
    this.#elements = listing.elements;
    this.#view = { ...this.#view, refused: listing.refused, offenders: Object.fromEntries(listing.offenders) };
  }

  #list(): Promise<string> {
    return this.#options.run('nft', ['-j', 'list', 'table', ...TABLE.split(' ')]);
  }

  /** Rules anew around the elements that there are; a table of another version is replaced whole, in one transaction. */
  async #make(): Promise<Listing> {
    const { run } = this.#options;
    const script = tableScript(this.#options);
    try {
      await run('nft', ['-f', '-'], script);
      return parseListing(await this.#list());
    } catch {
      await run('nft', ['-f', '-'], `add table ${TABLE}\ndelete table ${TABLE}\n${script}`);
      return parseListing(await this.#list());
    }
  }

  async #align(signal: AbortSignal): Promise<boolean> {
    const { run, place, ipv6, isolation, told } = this.#options;
    const links = parseLinks(await run('ip', ['-j', '-d', 'link', 'show']));
    let ports = portsOf(links, place, this.#told);
    if (ports.unknown.length > 0) {
      // Webspaces do not wait for LXD's answer about others.
      await this.#apply(elementsOf(ports, ipv6?.subnet), toIsolate(links, ports.known, isolation));
      this.#told = await told(signal);
      ports = portsOf(links, place, this.#told);
    }
    await this.#apply(elementsOf(ports, ipv6?.subnet), toIsolate(links, ports.known, isolation));
    const strangers = [...ports.known.values()].filter(({ address }) => address === undefined).length;
    const { problem: _, ...before } = this.#view;
    this.#view = { ...before, guarded: true, webspaces: ports.known.size - strangers, strangers, closed: ports.unknown };
    return ports.unknown.length > 0;
  }

  async #apply(wanted: Elements, flags: readonly string[]): Promise<void> {
    const { run } = this.#options;
    if (!this.#elements) return;
    if (flags.length > 0) await run('bridge', ['-batch', '-'], `${flags.join('\n')}\n`);
    const script = changeScript(this.#elements, wanted);
    if (script !== '') await run('nft', ['-f', '-'], script);
    this.#elements = wanted;
  }
}

/** What makes the kernel keep the known ports apart, or together. */
function toIsolate(links: readonly Link[], known: ReadonlyMap<string, Port>, isolation: RuleOptions['isolation']): string[] {
  const wanted = isolation === 'strict';
  return links.flatMap(({ name, isolated }) =>
    known.has(name) && isolated !== wanted ? [`link set dev ${name} isolated ${wanted ? 'on' : 'off'}`] : [],
  );
}
