import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { LabProcess } from '#lab/process.js';
import { projectRoot } from '#lab/project.js';

const LOOK_MS = 30;

/** Keeps a worker with traps running: started again at once whenever it died. */
export class Supervisor {
  readonly process: LabProcess;
  deaths = 0;
  #watching: Promise<void> | undefined;
  #stopping = false;

  constructor(lab: Lab, trapFolder: string) {
    const { profile } = lab;
    this.process = new LabProcess(profile, {
      name: 'worker',
      spec: () => ({
        command: process.execPath,
        args: [
          '--enable-source-maps',
          join(projectRoot(), 'dist', 'test', 'crash-matrix', 'worker.js'),
          '--config',
          join(profile.paths.apps, 'worker.yaml'),
        ],
        cwd: projectRoot(),
        env: { WEBSPACES_TRAPS: trapFolder },
      }),
      healthy: async () => (await http(`http://127.0.0.1:${profile.ports.worker}/health/ready`, { timeoutMs: 2_000 })).status === 200,
      readyTimeoutMs: 30_000,
      stopTimeoutMs: 15_000,
    });
  }

  async start(): Promise<void> {
    await this.process.stop();
    await this.process.start();
    this.#watching = this.#watch();
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.process.stop();
    await this.#watching;
    await this.process.stop();
  }

  async #watch(): Promise<void> {
    while (!this.#stopping) {
      if (this.process.pid() === undefined) {
        this.deaths += 1;
        // Not ready in time, or dead again before it was: seen at the next look.
        await this.process.start().catch(() => undefined);
      }
      await sleep(LOOK_MS);
    }
  }
}
