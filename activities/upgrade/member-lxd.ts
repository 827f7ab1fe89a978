import type { ClusterConfig } from '#libs/config/clusters.js';
import type { ObservedMember } from '#libs/domain/upgrade/observed.js';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';
import type { ExecResult } from '#libs/kubernetes/exec.js';
import { readAnswer } from '#libs/lxd/answer.js';
import { type MemberPod, MemberShells } from './member-shells.js';

export interface LxdRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  /** From the root: `/1.0/cluster/members?recursion=1`. */
  readonly path: string;
  readonly body?: unknown;
}

export interface AskOptions {
  readonly signal?: AbortSignal;
  /** Of each request, in the container. */
  readonly seconds?: number;
}

export interface MemberLook {
  readonly answers: ObservedMember['answers'];
  /** Of one that serves: as `ask` gives it, errors and all. */
  readonly said?: () => unknown[];
}

/** A member that is away must not hold up the others for longer. */
const READY_SECONDS = 1;
const ASK_SECONDS = 3;
const VOTE_SECONDS = 1;
/** LXD's own, of all versions since 3.0: lxd/cluster/gateway.go. */
const DQLITE_VERSION = '1';
/** Exit codes of curl that tell of the other side (curl(1)): no connection, no answer in time, or a connection that ended. */
const CURL_UNANSWERED = [7, 28, 35, 52, 56];
/** To get into the container. */
const EXEC_GRACE_MS = 1_000;
/** After each answer, so that several can be told apart: no JSON holds it bare. */
const SEPARATOR = '\u001e';

/**
 * LXD of a member, asked on its unix socket by curl in its container: over the network a member that waits for others gives no answer, and
 * this needs neither address nor certificate.
 */
export class MemberLxd {
  readonly #kube: KubernetesClient;
  readonly #container: string;
  readonly #folder: string;
  readonly #socket: string;
  readonly #shells: MemberShells;

  constructor(kube: KubernetesClient, { container, lxdDir }: Pick<ClusterConfig, 'container' | 'lxdDir'>) {
    this.#kube = kube;
    this.#container = container;
    this.#folder = lxdDir;
    this.#socket = `${lxdDir}/unix.socket`;
    this.#shells = new MemberShells(kube, container);
  }

  /**
   * `/internal/ready`, which a waiting member answers, too: 503; whatever keeps the answer away makes it silent. A member that serves is asked the
   * requests in the same breath.
   */
  async look(pod: MemberPod, requests: readonly LxdRequest[], { signal }: AskOptions = {}): Promise<MemberLook> {
    const ready = ['-f', '-o', '/dev/null', '-w', `%{http_code}${SEPARATOR}`, 'http://lxd/internal/ready'];
    const rest = requests.flatMap((request) => ['--next', ...this.#options(ASK_SECONDS), ...argumentsOf(request)]);
    const command = ['curl', '--fail-early', ...this.#options(READY_SECONDS), ...ready, ...rest];
    const timeoutMs = (READY_SECONDS + ASK_SECONDS * requests.length) * 1000 + EXEC_GRACE_MS;
    try {
      const result = await this.#shells.run(pod, command, { ...(signal ? { signal } : {}), timeoutMs });
      const [status = '', ...parts] = result.stdout.toString('utf8').split(SEPARATOR).slice(0, -1);
      if (status !== '200') return { answers: status === '503' ? 'waiting' : 'silent' };
      return { answers: 'serving', said: () => saidOf(pod.name, requests, parts, result) };
    } catch (error) {
      if (isPlatformError(error) && !signal?.aborted) return { answers: 'silent' };
      throw error;
    }
  }

  /**
   * Whether the database of a member at `address` (host:port) answers: its vote. The member can write to the database before that, by its
   * own connection to the leader. `HEAD /internal/database` asks the member's own part of it, and trusts the member's own certificate (200
   * leads, 503 votes, 404 neither; LXD 5.0, lxd/cluster/gateway.go). `unknown` where that cannot be asked, as where the key is not in the pod.
   */
  async votes(pod: MemberPod, address: string, { signal }: AskOptions = {}): Promise<'yes' | 'no' | 'unknown'> {
    const own = ['--cert', `${this.#folder}/server.crt`, '--key', `${this.#folder}/server.key`];
    const options = ['-skI', '-m', String(VOTE_SECONDS), '-o', '/dev/null', '-w', '%{http_code}', ...own];
    const command = ['curl', ...options, '-H', `X-Dqlite-Version: ${DQLITE_VERSION}`, `https://${address}/internal/database`];
    const timeoutMs = VOTE_SECONDS * 1000 + EXEC_GRACE_MS;
    try {
      const { stdout, exitCode } = await this.#shells.run(pod, command, { ...(signal ? { signal } : {}), timeoutMs });
      const status = stdout.toString('utf8');
      if (status === '200' || status === '503') return 'yes';
      return status === '500' || CURL_UNANSWERED.includes(exitCode) ? 'no' : 'unknown';
    } catch (error) {
      if (isPlatformError(error) && !signal?.aborted) return 'no';
      throw error;
    }
  }

  /** The `metadata` of each answer, in order. @throws the error of the first that is one; UNAVAILABLE when LXD does not answer in time. */
  async ask(pod: string, requests: readonly LxdRequest[], options: AskOptions = {}): Promise<unknown[]> {
    const { signal, seconds = ASK_SECONDS } = options;
    const limit = seconds * requests.length;
    const command = this.#curl(
      seconds,
      requests.flatMap((request, index) => [...(index === 0 ? [] : ['--next', ...this.#options(seconds)]), ...argumentsOf(request)]),
    );
    const result = await this.#exec(pod, command, { ...(signal ? { signal } : {}), timeoutMs: limit * 1000 + EXEC_GRACE_MS });
    return saidOf(pod, requests, result.stdout.toString('utf8').split(SEPARATOR).slice(0, -1), result);
  }

  #exec(pod: string, command: readonly string[], options: { readonly signal?: AbortSignal; readonly timeoutMs: number }) {
    const { timeoutMs, signal } = options;
    return this.#kube.exec(pod, { container: this.#container, command, timeoutMs }, signal ? { signal } : {});
  }

  #curl(seconds: number, rest: readonly string[]): string[] {
    return ['curl', ...this.#options(seconds), ...rest];
  }

  #options(seconds: number): string[] {
    return ['-sS', '-m', String(seconds), '--unix-socket', this.#socket];
  }
}

/** The body, then a space and the status: LXD's answers carry their error code only when they are errors. */
function argumentsOf({ method = 'GET', path, body }: LxdRequest): string[] {
  const write = ['-w', `\u001f%{http_code}${SEPARATOR}`];
  const data = body === undefined ? [] : ['-H', 'Content-Type: application/json', '-d', JSON.stringify(body)];
  return ['-X', method, ...write, ...data, `http://lxd${path}`];
}

function saidOf(pod: string, requests: readonly LxdRequest[], parts: readonly string[], result: ExecResult): unknown[] {
  if (parts.length < requests.length) throw unanswered(pod, result);
  return requests.map(({ path }, index) => metadataOf(parts[index] ?? '', `${path} of ${pod}`));
}

function metadataOf(part: string, what: string): unknown {
  const [body = '', status = ''] = part.split('\u001f');
  if (status === '000') throw new PlatformError('UNAVAILABLE', `LXD gives no answer in time to ${what}.`);
  return readAnswer({ status: Number(status), headers: {}, body: Buffer.from(body) }, what).metadata;
}

function unanswered(pod: string, { exitCode, stderr }: ExecResult): PlatformError {
  const missing = exitCode === 126 || exitCode === 127;
  const why = stderr.trim() || `curl ended with exit code ${exitCode}`;
  return new PlatformError(missing ? 'PROTOCOL' : 'UNAVAILABLE', `LXD in ${pod} does not answer: ${why}.`);
}
