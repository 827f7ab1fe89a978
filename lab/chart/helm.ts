import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { run } from '../exec.js';
import { projectRoot } from '../project.js';
import { resolveTool } from '../tools/resolve.js';

export const CHART = join(projectRoot(), 'deploy', 'chart');
/** Built from source where a machine has none yet: once, whoever asks. */
let tool: Promise<string> | undefined;

/** A real `helm` with files of its own. */
export class Helm {
  readonly #env: Record<string, string>;

  constructor(
    folder: string,
    private readonly kubeconfig: string,
    private readonly namespace: string,
  ) {
    mkdirSync(folder, { recursive: true });
    this.#env = { PATH: '/usr/bin:/bin', HOME: folder, HELM_CACHE_HOME: folder, HELM_CONFIG_HOME: folder, HELM_DATA_HOME: folder };
  }

  /** @throws Error with what helm said. */
  async run(args: readonly string[]): Promise<string> {
    tool ??= resolveTool('helm');
    return run(await tool, ['--kubeconfig', this.kubeconfig, '--namespace', this.namespace, ...args], {
      env: this.#env,
      timeoutMs: 180_000,
    });
  }

  template(values: readonly string[], ...more: readonly string[]): Promise<string> {
    return this.run(['template', 'webspaces', CHART, ...values.flatMap((file) => ['--values', file]), ...more]);
  }
}
