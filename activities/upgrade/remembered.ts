import { z } from 'zod';
import type { StoredObject } from '#libs/contracts/kubernetes-objects.js';
import { LABELS, MANAGED_BY } from '#libs/contracts/webspaces-api.js';
import { PlatformError } from '#libs/errors/platform-error.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

const member = z.object({
  name: z.string(),
  pod: z.string(),
  /** `host:port`; absent in what an earlier version wrote. */
  address: z.string().optional(),
  architecture: z.string(),
  database: z.enum(['voter', 'standby', 'spare']),
  evacuated: z.enum(['yes', 'no']),
  instancesRunning: z.number(),
  versions: z.object({ schema: z.number(), apiExtensions: z.number() }),
});
const members = z.object({ serverVersion: z.string(), leader: z.string().optional(), members: z.array(member) });

/** What the database of a cluster said when somebody could last be asked. */
export type KnownMembers = z.output<typeof members>;

/**
 * What must be known of a cluster while none of its members answers, or its StatefulSet is being made anew: a ConfigMap beside it, which
 * outlives this process. Written by upgrades only.
 */
export class Remembered {
  readonly #kube: KubernetesClient;
  readonly name: string;
  #written: string | undefined;

  constructor(kube: KubernetesClient, statefulSet: string) {
    this.#kube = kube;
    this.name = `${statefulSet}-upgrade`;
  }

  async members(signal?: AbortSignal): Promise<KnownMembers | undefined> {
    const text = await this.#read('members', signal);
    if (text === undefined) return undefined;
    try {
      return members.parse(JSON.parse(text));
    } catch (cause) {
      throw new PlatformError('PROTOCOL', `ConfigMap ${this.name} does not hold what was written there: remove its \`members\`.`, {
        cause,
      });
    }
  }

  /** Writes only when it is something else than this process wrote last. */
  async keepMembers(known: KnownMembers, signal: AbortSignal): Promise<void> {
    const text = JSON.stringify(known);
    if (text === this.#written) return;
    await this.#write({ members: text }, signal);
    this.#written = text;
  }

  /** The manifest of a StatefulSet that is deleted to be made again; undefined when none is. */
  async statefulSet(signal: AbortSignal): Promise<StoredObject | undefined> {
    const text = await this.#read('statefulSet', signal);
    return text === undefined || text === '' ? undefined : (JSON.parse(text) as StoredObject);
  }

  async keepStatefulSet(object: StoredObject | undefined, signal: AbortSignal): Promise<void> {
    await this.#write({ statefulSet: object === undefined ? '' : JSON.stringify(object) }, signal);
  }

  async #read(key: string, signal?: AbortSignal): Promise<string | undefined> {
    const object = await this.#kube.find('configMap', this.name, signal ? { signal } : {});
    return (object?.['data'] as Record<string, string> | undefined)?.[key];
  }

  /** An apply holds all of what is ours, so what is there comes along. */
  async #write(change: Readonly<Record<string, string>>, signal: AbortSignal): Promise<void> {
    const before = await this.#kube.find('configMap', this.name, { signal });
    const data = { ...(before?.['data'] as Record<string, string> | undefined), ...change };
    const precondition = before ? { resourceVersion: before.metadata.resourceVersion } : {};
    const metadata = { name: this.name, labels: { [LABELS.managedBy]: MANAGED_BY }, ...precondition };
    await this.#kube.apply('configMap', { metadata, data }, { signal });
  }
}
