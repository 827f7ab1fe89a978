import { mkdirSync, readFileSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { httpOverSocket } from './http.js';
import { LxdClient } from './lxd-client.js';
import { LabProcess, type ProcessSpec } from './process.js';
import type { Profile } from './profile.js';
import type { Sandbox } from './sandbox.js';
import { waitFor } from './wait.js';

const LXD_PORT = 8443;

/** The LXD daemon inside its sandbox. It may be killed and started on its own: containers go on running. */
export class Lxd {
  readonly process: LabProcess;
  readonly client: LxdClient;

  constructor(
    private readonly profile: Profile,
    private readonly sandbox: Sandbox,
  ) {
    this.client = new LxdClient(profile.paths.lxdSocket);
    this.process = new LabProcess(profile, {
      name: 'lxd',
      spec: () => this.spec(),
      healthy: async () => (await httpOverSocket(profile.paths.lxdSocket, '/internal/ready', { timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 30_000,
      stopTimeoutMs: 10_000,
    });
  }

  /** Reachable from the host by way of the router; answers only with a trusted client certificate. */
  get httpsUrl(): string {
    return `https://${this.profile.network.lxdLink.lxd}:${LXD_PORT}`;
  }

  /** Pool, bridge, profile and settings; each is made only when missing. */
  async configure(): Promise<void> {
    const { network } = this.profile;
    await this.client.request('PATCH', '/1.0', {
      body: { config: { 'core.https_address': `${network.lxdLink.lxd}:${LXD_PORT}`, 'images.auto_update_interval': '0' } },
    });
    if (!(await this.client.exists('/1.0/storage-pools/default'))) {
      await this.client.request('POST', '/1.0/storage-pools', { body: { name: 'default', driver: 'dir' } });
    }
    if (!(await this.client.exists(`/1.0/networks/${network.bridge}`))) {
      const config = {
        'ipv4.address': network.bridgeAddress,
        'ipv4.nat': 'false',
        'ipv4.dhcp.ranges': network.dhcpRange,
        'ipv6.address': 'none',
      };
      await this.client.request('POST', '/1.0/networks', { body: { name: network.bridge, type: 'bridge', config } });
    }
    const devices = {
      root: { type: 'disk', pool: 'default', path: '/' },
      eth0: { type: 'nic', network: network.bridge, name: 'eth0' },
    };
    const profile = await this.client.request<{ devices: Record<string, unknown> }>('GET', '/1.0/profiles/default');
    // LXD updates every instance with its profile, and refuses while one of them is stopping.
    if (!isDeepStrictEqual(profile.devices, devices)) await this.client.request('PATCH', '/1.0/profiles/default', { body: { devices } });
  }

  /** Trusts a client certificate (PEM) for HTTPS; does nothing when it is trusted already. */
  async trust(name: string, certificateFile: string): Promise<void> {
    const pem = readFileSync(certificateFile, 'utf8');
    const certificate = pem.replace(/-----[A-Z ]+-----/g, '').replaceAll('\n', '');
    const trusted = await this.client.request<{ certificate: string }[]>('GET', '/1.0/certificates?recursion=1');
    if (trusted.some((entry) => entry.certificate.trim() === pem.trim())) return;
    await this.client.request('POST', '/1.0/certificates', { body: { type: 'client', name, certificate } });
  }

  /** After a daemon's death its socket file stays, so the file says nothing. */
  async waitReady(): Promise<void> {
    await waitFor('LXD', () => this.process.healthy(), { timeoutMs: 30_000 });
  }

  private spec(): ProcessSpec {
    mkdirSync(this.profile.paths.lxd, { recursive: true, mode: 0o711 });
    const daemon = ['lxd'];
    return {
      ...this.sandbox.inside(daemon),
      env: { LXD_DIR: this.profile.paths.lxd, SSL_CERT_FILE: this.profile.paths.caFile },
      becomes: daemon,
      recordChild: true,
    };
  }
}
