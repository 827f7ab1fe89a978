import { accepts } from './accepts.js';
import { http } from './http.js';
import { LabProcess } from './process.js';
import type { Profile } from './profile.js';
import type { Tools } from './tools/resolve.js';

export interface TemporalOptions {
  /** Nothing on disk: quicker, and a restart forgets every operation. */
  readonly inMemory: boolean;
}

const SEARCH_ATTRIBUTES = ['WebspaceName', 'WebspaceOwner', 'OperationKind'];
/** By default a history shard looks at its queues 20 times a second, and every task waits for such a tick. */
const QUICK_QUEUES = ['transfer', 'timer', 'visibility'].map((queue) => `history.${queue}ProcessorMaxPollRPS=2000`);

/** Temporal's development server with its web page. */
export function temporalProcess(profile: Profile, tools: Tools, { inMemory }: TemporalOptions): LabProcess {
  const storage = [
    '--db-filename',
    profile.paths.temporalDatabase,
    '--sqlite-pragma',
    'journal_mode=wal',
    '--sqlite-pragma',
    'synchronous=normal',
  ];
  const args = [
    ...['server', 'start-dev', '--ip', '127.0.0.1', '--port', String(profile.ports.temporal)],
    ...['--ui-ip', '127.0.0.1', '--ui-port', String(profile.ports.temporalUi), '--log-level', 'warn'],
    ...QUICK_QUEUES.flatMap((value) => ['--dynamic-config-value', value]),
    ...SEARCH_ATTRIBUTES.flatMap((name) => ['--search-attribute', `${name}=Keyword`]),
    ...(inMemory ? [] : storage),
  ];
  return new LabProcess(profile, {
    name: 'temporal',
    spec: () => ({ command: tools.temporal, args, cwd: profile.paths.state }),
    healthy: async () => (await accepts('127.0.0.1', profile.ports.temporal)) && (await namespaceServed(profile)),
    readyTimeoutMs: 60_000,
    stopTimeoutMs: 10_000,
  });
}

async function namespaceServed(profile: Profile): Promise<boolean> {
  return (await http(`${profile.urls.temporalUi}/api/v1/namespaces/default`, { timeoutMs: 2_000 })).status === 200;
}
