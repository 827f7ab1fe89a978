import { readFileSync } from 'node:fs';
import { Client, Connection, defaultGrpcRetryOptions, makeGrpcRetryInterceptor } from '@temporalio/client';
import type { DeepReadonly } from '#libs/config/freeze.js';
import type { TemporalConfig } from '#libs/config/schemas.js';

/** A call that fails is tried again within half a second or so; who can wait longer does so above. */
const RETRIES = { maxAttempts: 4 };

/** TLS settings in the form that both the client's and the worker's connection take; undefined for a plain connection. */
export function temporalTls(config: DeepReadonly<TemporalConfig>) {
  const { tls } = config;
  if (!tls) return undefined;
  const { clientCertFile, clientKeyFile } = tls;
  return {
    ...(tls.serverName ? { serverNameOverride: tls.serverName } : {}),
    ...(tls.serverCaFile ? { serverRootCACertificate: readFileSync(tls.serverCaFile) } : {}),
    ...(clientCertFile && clientKeyFile ? { clientCertPair: { crt: readFileSync(clientCertFile), key: readFileSync(clientKeyFile) } } : {}),
  };
}

/** A client that connects at its first call and again after every loss, so that a process starts while Temporal is away. */
export function createTemporalClient(config: DeepReadonly<TemporalConfig>): { readonly client: Client; readonly connection: Connection } {
  const tls = temporalTls(config);
  const connection = Connection.lazy({
    address: config.address,
    ...(tls ? { tls } : {}),
    interceptors: [makeGrpcRetryInterceptor(defaultGrpcRetryOptions(RETRIES))],
    channelArgs: {
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3000,
      'grpc.keepalive_permit_without_calls': 1,
      // After an outage the next call should find Temporal back within a second.
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': 1000,
    },
  });
  return { connection, client: new Client({ connection, namespace: config.namespace }) };
}
