import { isPlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { ExecResult } from '#libs/kubernetes/exec.js';
import type { PodShell } from '#libs/kubernetes/shell.js';

/** Longer than between two looks at a gate. */
const IDLE_MS = 10_000;
/** A member that is away must not hold up the others for longer. */
const OPEN_MS = 3_000;

export interface MemberPod {
  readonly name: string;
  /** A pod of the same name that came later is another one. */
  readonly uid: string;
}

interface Kept {
  readonly shell: PodShell;
  idle: NodeJS.Timeout;
}

/**
 * Short commands in the members' containers. While somebody looks again and again, a shell stays open in each: getting into a container costs more
 * than what is asked there, and on a small node it takes the processor away from the very LXD that is waited for.
 */
export class MemberShells {
  readonly #kube: Pick<KubernetesClient, 'shell' | 'exec'>;
  readonly #container: string;
  readonly #kept = new Map<string, Kept>();

  constructor(kube: Pick<KubernetesClient, 'shell' | 'exec'>, container: string) {
    this.#kube = kube;
    this.#container = container;
  }

  /** @throws as an exec of the command. */
  async run(
    pod: MemberPod,
    command: readonly string[],
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal },
  ): Promise<ExecResult> {
    const { timeoutMs, signal } = options;
    const shell = await this.#shellIn(pod, signal);
    try {
      if (shell) return await shell.run(command, options);
    } catch (error) {
      // The container was started again, or has no sh; what is not known is asked without it.
      if (!isPlatformError(error, 'STALE')) throw error;
    }
    return this.#kube.exec(pod.name, { container: this.#container, command, timeoutMs }, signal ? { signal } : {});
  }

  /** None while another look uses it. */
  async #shellIn({ name, uid }: MemberPod, signal: AbortSignal | undefined): Promise<PodShell | undefined> {
    const kept = this.#kept.get(uid);
    if (kept?.shell.state === 'busy') return undefined;
    if (kept?.shell.state === 'free') {
      clearTimeout(kept.idle);
      kept.idle = this.#endsIdle(uid, kept.shell);
      return kept.shell;
    }
    const shell = await this.#kube.shell(name, { container: this.#container, timeoutMs: OPEN_MS }, signal ? { signal } : {});
    const before = this.#kept.get(uid);
    if (before) this.#drop(uid, before.shell);
    this.#kept.set(uid, { shell, idle: this.#endsIdle(uid, shell) });
    return shell;
  }

  #endsIdle(uid: string, shell: PodShell): NodeJS.Timeout {
    return setTimeout(() => this.#drop(uid, shell), IDLE_MS);
  }

  #drop(uid: string, shell: PodShell): void {
    const kept = this.#kept.get(uid);
    if (kept?.shell === shell) {
      clearTimeout(kept.idle);
      this.#kept.delete(uid);
    }
    shell.close();
  }
}
