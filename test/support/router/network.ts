import { macOf } from '#libs/domain/lan.js';
import { Netns } from './netns.js';

export const SUBNET6 = 'fd57:6969:1:2::/64';
export const ROUTER = '172.24.254.1';
export const ROUTER6 = 'fd57:6969:1:2::1';
/** The other end of the routers' link to the outside; routers have .11 and .12 there. */
const OUTSIDE = '192.0.2.1';
const OUTSIDE6 = '2001:db8:0:1::1';

/** Address of forwarded ports: that of a load balancer, which leads to one router. */
export const PUBLIC = '203.0.113.7';

/** What stands at the outside, by what it stands for. */
export const PLACES = {
  internet: { v4: '198.51.100.10', v6: '2001:db8:ff::10' },
  resolver: { v4: '198.51.100.53', v6: '2001:db8:ff::53' },
  'private 10/8': { v4: '10.96.0.1', v6: 'fc00::10' },
  'private 172.16/12': { v4: '172.20.0.9', v6: 'fd00:beef::10' },
  'private 192.168/16': { v4: '192.168.7.7', v6: 'fec0::10' },
  'shared 100.64/10': { v4: '100.64.0.1', v6: '64:ff9b::a60:1' },
  'metadata and link-local': { v4: '169.254.169.254', v6: 'fd00:ec2::254' },
  benchmarks: { v4: '198.18.0.1', v6: '2001:2::1' },
  reserved: { v4: '240.0.0.1', v6: '2002:a60:1::1' },
  'a configured network': { v4: '198.51.100.99', v6: '2001:db8:ff:99::1' },
} as const;
export type Place = keyof typeof PLACES;

export function tenantAddress(number: number): string {
  return `172.24.1.${number}`;
}

/** Containers – bridge – routers – outside, each in a network namespace of its own. */
export class RouterNetwork {
  readonly #prefix: string;
  readonly #made: Netns[] = [];

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** Both bridges: that of the LAN, and that between the routers and the outside. */
  async makeLan(): Promise<Netns> {
    const lan = await this.#make('lan');
    await lan.ip(...['br0', 'out0'].flatMap((name) => [`link add ${name} type bridge mcast_snooping 0`, `link set ${name} up`]));
    return lan;
  }

  async makeMember(lan: Netns): Promise<Netns> {
    const member = await this.#plugIn(lan, 'member', '02:00:00:00:00:01');
    await member.ip('address add 172.24.0.1/16 dev eth0', `route add default via ${ROUTER}`);
    await member.do('serve', { tcp: [443, 8443], udp: [4789] });
    return member;
  }

  makeTenant(lan: Netns, number: number): Promise<Netns> {
    return this.#plugIn(lan, `t${number}`, macOf(tenantAddress(number)));
  }

  async makeOutside(lan: Netns): Promise<Netns> {
    const outside = await this.#make('out');
    await lan.ip(`link add outside type veth peer name eth0 netns ${outside.name}`, 'link set outside master out0 up');
    const here = Object.values(PLACES).flatMap(({ v4, v6 }) => [`address add ${v4}/32 dev lo`, `address add ${v6}/128 dev lo nodad`]);
    await outside.ip(`address add ${OUTSIDE}/24 dev eth0`, `address add ${OUTSIDE6}/64 dev eth0 nodad`, 'link set eth0 up', ...here);
    const hosts = Object.values(PLACES).flatMap(({ v4, v6 }) => [v4, v6]);
    await outside.do('serve', { tcp: [22, 25, 80, 443, 465, 587, 6443, 8443], udp: [123, 4789], hosts });
    await outside.do('resolver', { host: PLACES.resolver.v4, address: PLACES.internet.v4 });
    return outside;
  }

  async makeRouter(lan: Netns, number: number): Promise<Netns> {
    const router = await this.#make(`r${number}`);
    await lan.ip(
      `link add r${number} type veth peer name webspaces-lan netns ${router.name}`,
      `link set r${number} master br0 up`,
      `link add r${number}o type veth peer name eth0 netns ${router.name}`,
      `link set r${number}o master out0 up`,
    );
    await router.ip(
      'link set webspaces-lan mtu 1450 up',
      `address add 192.0.2.1${number}/24 dev eth0`,
      `address add 2001:db8:0:1::1${number}/64 dev eth0 nodad`,
      'link set eth0 up',
      `address add ${PUBLIC}/32 dev lo`,
      `route add default via ${OUTSIDE}`,
      `route add default via ${OUTSIDE6}`,
    );
    return router;
  }

  async remove(): Promise<void> {
    for (const netns of this.#made.reverse()) await netns.remove();
  }

  async #plugIn(lan: Netns, name: string, mac: string): Promise<Netns> {
    const netns = await this.#make(name);
    await lan.ip(`link add ${name} type veth peer name eth0 netns ${netns.name}`, `link set ${name} master br0 up`);
    await netns.ip(`link set eth0 address ${mac} mtu 1450 up`);
    return netns;
  }

  async #make(name: string): Promise<Netns> {
    const netns = await Netns.make(`${this.#prefix}-${name}`);
    this.#made.push(netns);
    return netns;
  }
}
