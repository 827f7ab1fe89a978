import { join } from 'node:path';
import { certificateUser, writeKubeconfig } from '../control-plane.js';
import { http } from '../http.js';
import { CertificateAuthority } from '../pki.js';
import { LabProcess } from '../process.js';
import type { Profile } from '../profile.js';
import { resolveTool } from '../tools/resolve.js';
import { nodeAddress } from './network.js';
import { nodeSandbox } from './node.js';

const HEALTH_PORT = 10_257;
const NAME = 'policy-engine';

/** Enforces NetworkPolicies at the pods of a node (tools/policy-engine). A node has none until it is asked for; its end takes its rules away. */
export class PolicyEngine {
  constructor(
    private readonly profile: Profile,
    private readonly node: number,
  ) {}

  /** Returns when all policies that are there are enforced. Safe to call again. */
  async ensure(say?: (text: string) => void): Promise<void> {
    const { kubeconfigs, caFile } = this.profile.paths;
    const tool = await resolveTool('policyEngine', say ? { onInstall: say } : {});
    const client = await new CertificateAuthority(this.profile).client(NAME, `/O=system:masters/CN=${NAME}`);
    const server = `https://${this.profile.network.nodes.host}:${this.profile.ports.kubernetes}`;
    writeKubeconfig(this.profile, caFile, { name: NAME, user: certificateUser(client), server });
    await this.process([
      tool,
      `--kubeconfig=${join(kubeconfigs, `${NAME}.yaml`)}`,
      `--hostname-override=node-${this.node}`,
      `--service-cluster-ip-range=${this.profile.network.serviceSubnet}`,
      `--healthz-listen-address=${this.listen}`,
    ]).ensure();
  }

  async stop(): Promise<void> {
    await this.process([]).stop();
  }

  private get listen(): string {
    return `${nodeAddress(this.profile, this.node)}:${HEALTH_PORT}`;
  }

  private process(command: string[]): LabProcess {
    return new LabProcess(this.profile, {
      name: `node-${this.node}-${NAME}`,
      spec: () => ({ ...nodeSandbox(this.profile, this.node).inside(command), becomes: command, recordChild: true }),
      healthy: async () => (await http(`http://${this.listen}/healthz`, { timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 60_000,
      stopTimeoutMs: 20_000,
    });
  }
}
