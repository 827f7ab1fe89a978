import { z } from 'zod';
import { isPlatformError, PlatformError } from '#libs/errors/platform-error.js';
import type { CallOptions } from './client.js';
import { readClusterMembers } from './cluster.js';
import { Connection } from './connection.js';
import { createDialer } from './dial.js';
import { DEFAULT_SLICE_SECONDS, Operation } from './operation.js';
import { apiPath } from './paths.js';
import { Transport } from './transport.js';
import type { LxdClusterMember } from './types.js';

const orEmpty = <T extends z.ZodType>(schema: T, empty: z.output<T>) => schema.nullish().transform((value) => value ?? empty);
const memberSetting = z.looseObject({ entity: z.string(), name: z.string(), key: z.string(), value: z.string().default('') });
const cluster = z.looseObject({ enabled: z.boolean(), server_name: z.string(), member_config: orEmpty(z.array(memberSetting), []) });
const token = z.looseObject({
  secret: z.string().min(1),
  fingerprint: z.string().min(1),
  addresses: z.array(z.string().min(1)).min(1),
  expiresAt: z.string(),
});

/** To make a cluster or to join one takes seconds; longer it is not waited for. */
export const OPERATION_MS = 120_000;

/** What a new member must say of its own for what the cluster has, e.g. the source of a storage pool. */
export type MemberSetting = z.output<typeof memberSetting>;
export type LxdCluster = z.output<typeof cluster>;

export interface JoinRequest {
  readonly name: string;
  /** Where the others find it, host:port. */
  readonly address: string;
  /** Of a member of the cluster. */
  readonly clusterAddress: string;
  readonly clusterCertificate: string;
  /** As {@link OwnMember.makeJoinToken} gives it. A secret. */
  readonly token: string;
  readonly settings: readonly MemberSetting[];
}

/** A one-time right to join, with where to go. */
export interface JoinToken {
  /** A secret, in the form that LXD takes back. */
  readonly token: string;
  readonly addresses: readonly string[];
}

/** The LXD of this machine as a member of a cluster, or one to be: asked over its unix socket. */
export class OwnMember {
  readonly connection: Connection;

  constructor(options: { readonly socket: string; readonly timeoutMs: number }) {
    this.connection = new Connection(new Transport(createDialer({ socket: options.socket }), options.timeoutMs));
  }

  /** Answered also by a server of its own: `enabled` is false. */
  async cluster(options: CallOptions = {}): Promise<LxdCluster> {
    return (await this.connection.read({ path: apiPath(['cluster']), what: 'read the cluster' }, cluster, options)).value;
  }

  members(options: CallOptions = {}): Promise<LxdClusterMember[]> {
    return readClusterMembers(this.connection, options);
  }

  /** A cluster of this one member, with the address by which others will find it. */
  async bootstrap({ name, address }: { readonly name: string; readonly address: string }, options: CallOptions = {}): Promise<void> {
    await this.connection.change(
      { method: 'PATCH', path: apiPath([]), body: { config: { 'core.https_address': address } }, what: `listen at ${address}` },
      options,
    );
    await this.#operation('make a cluster', { server_name: name, enabled: true }, options);
  }

  /** @throws PlatformError CONFLICT and the like when the cluster refuses; UNAVAILABLE with `details.lost` when it may have been done. */
  async join(request: JoinRequest, options: CallOptions = {}): Promise<void> {
    const body = {
      server_name: request.name,
      enabled: true,
      server_address: request.address,
      cluster_address: request.clusterAddress,
      cluster_certificate: request.clusterCertificate,
      // LXD 5.0 takes a token where a trust password was.
      cluster_password: request.token,
      member_config: request.settings,
    };
    await this.#operation(`join the cluster at ${request.clusterAddress}`, body, options);
  }

  /** For a member of that name; LXD forgets it after three hours. */
  async makeJoinToken(name: string, options: CallOptions = {}): Promise<JoinToken> {
    const what = `make a token for ${name}`;
    const change = { method: 'POST' as const, path: apiPath(['cluster', 'members']), body: { server_name: name }, what };
    const parsed = token.safeParse((await this.connection.start(change, options)).metadata);
    if (!parsed.success) throw new PlatformError('PROTOCOL', `LXD could not ${what}: its answer has no token.`, { cause: parsed.error });
    const { secret, fingerprint, addresses, expiresAt } = parsed.data;
    const text = JSON.stringify({ server_name: name, fingerprint, addresses, secret, expires_at: expiresAt });
    return { token: Buffer.from(text).toString('base64'), addresses };
  }

  /** Takes a member out although it is away: what only it had is lost to the cluster. Fine when there is none of that name. */
  async removeByForce(name: string, options: CallOptions = {}): Promise<void> {
    const path = apiPath(['cluster', 'members', name], { force: 1 });
    try {
      await this.connection.change({ method: 'DELETE', path, what: `remove the member ${name}` }, options);
    } catch (error) {
      if (!isPlatformError(error, 'NOT_FOUND')) throw error;
    }
  }

  /** On every member at once, without a restart. */
  async replaceCertificate(
    { certificate, key }: { readonly certificate: string; readonly key: string },
    options: CallOptions = {},
  ): Promise<void> {
    const body = { cluster_certificate: certificate, cluster_certificate_key: key };
    await this.connection.change(
      { method: 'PUT', path: apiPath(['cluster', 'certificate']), body, what: "replace the cluster's certificate" },
      options,
    );
  }

  /** Sets keys of the server's configuration, for the whole cluster; an empty value takes one away. */
  async configure(config: Readonly<Record<string, string>>, options: CallOptions = {}): Promise<void> {
    await this.connection.change({ method: 'PATCH', path: apiPath([]), body: { config }, what: 'configure the server' }, options);
  }

  /** Stops the instances of this member, each as long as its own setting allows, hands its roles over, and ends LXD. They run again after its next start. */
  async shutdown(options: CallOptions = {}): Promise<void> {
    await this.connection.change({ method: 'PUT', path: '/internal/shutdown', what: 'shut LXD down' }, options);
  }

  close(): Promise<void> {
    return this.connection.transport.close();
  }

  async #operation(what: string, body: object, options: CallOptions): Promise<void> {
    const { id } = await this.connection.start({ method: 'PUT', path: apiPath(['cluster']), body, what }, options);
    await new Operation(this.connection, { id, what, sliceSeconds: DEFAULT_SLICE_SECONDS }).wait({ timeoutMs: OPERATION_MS, ...options });
  }
}
