import type { ProcessName } from '#lab/harness.js';
import { waitFor } from '#lab/wait.js';
import type { Outage } from './rounds.js';

/** Killed and started again at once, as a supervisor would. */
function killed(name: ProcessName): Outage {
  return {
    name,
    async happen({ lab }) {
      await lab.process(name).kill('SIGKILL');
      // The port of a killed process with many threads may be taken for another moment.
      const started = async () =>
        lab
          .process(name)
          .start()
          .then(() => true);
      await waitFor(`${name} again`, started, { timeoutMs: 60_000 });
    },
  };
}

export const OUTAGES: readonly Outage[] = [
  killed('lxd'),
  killed('kube-apiserver'),
  killed('temporal'),
  {
    // An ordinary restart, as of a new version: the supervisor of the stage starts the next worker.
    name: 'worker (SIGTERM)',
    async happen({ lab }) {
      await lab.process('worker').kill('SIGTERM');
    },
  },
];
