import { Certificates } from './certificates.js';
import type { LxdClient } from './client.js';
import { readClusterMembers } from './cluster.js';
import { Connection } from './connection.js';
import { Console } from './console.js';
import { createDialer, type LxdAddress } from './dial.js';
import { DEFAULT_EVENT_TIMES, EventStream, type EventTimes } from './events.js';
import { Exec } from './exec.js';
import { Files } from './files.js';
import { Images } from './images.js';
import { Instances } from './instances.js';
import { Logs } from './logs.js';
import { DEFAULT_SLICE_SECONDS } from './operation.js';
import { Operations } from './operations.js';
import { readServer } from './server.js';
import { Storage } from './storage.js';
import { Transport } from './transport.js';

export type LxdClientOptions = LxdAddress & {
  /** Default deadline of a request; 40 s, above LXD's own time-outs. */
  readonly requestTimeoutMs?: number;
  /** How long LXD may hold one question about an operation; 5 s. */
  readonly waitSliceSeconds?: number;
  readonly eventTimes?: Partial<EventTimes>;
};

/** A client of one LXD. Opens no connection yet; INVALID_INPUT when a certificate file cannot be read. */
export function createLxdClient(options: LxdClientOptions): LxdClient {
  const dialer = createDialer(options);
  const transport = new Transport(dialer, options.requestTimeoutMs);
  const connection = new Connection(transport);
  const operations = new Operations(connection, options.waitSliceSeconds ?? DEFAULT_SLICE_SECONDS);
  const logs = new Logs(connection);
  const parts = { connection, operations, dialer };
  const streams = new Set<EventStream>();
  return {
    instances: new Instances(connection, operations),
    images: new Images(connection, operations),
    operations: operations.api,
    files: new Files(connection),
    exec: new Exec(parts, logs),
    console: new Console(parts),
    logs,
    certificates: new Certificates(connection),
    storage: new Storage(connection),
    cluster: { members: (call) => readClusterMembers(connection, call) },
    server: (call) => readServer(connection, call),
    events: (types, handlers) => {
      const stream = new EventStream(dialer, types, handlers, { ...DEFAULT_EVENT_TIMES, ...options.eventTimes });
      streams.add(stream);
      return {
        close: () => {
          streams.delete(stream);
          stream.close();
        },
      };
    },
    close: async () => {
      for (const stream of streams) stream.close();
      streams.clear();
      await transport.close();
    },
  };
}
