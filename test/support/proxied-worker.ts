import type { Lab } from '#lab/harness.js';
import { http } from '#lab/http.js';
import { waitFor } from '#lab/wait.js';
import { type LxdProxy, startLxdProxy } from './lxd-proxy.js';

export interface ProxiedWorker {
  readonly proxy: LxdProxy;
  /** The same again, also after it was killed. */
  restart(): Promise<void>;
  /** The value of a metric of the worker, 0 when it was never counted; `labels` as they are written, e.g. `reason="EmptyList"`. */
  metric(name: string, labels?: string): Promise<number>;
  /** The worker's stream of LXD events is (not) connected. */
  events(connected: boolean): Promise<void>;
  /** The lab's own worker again. */
  close(): Promise<void>;
}

/** Starts the worker again with a proxy between it and LXD, and with sweeps only when they are asked for. */
export async function startProxiedWorker(lab: Lab): Promise<ProxiedWorker> {
  const proxy = await startLxdProxy(lab.lxdSocket);
  const env = { WEBSPACES__LXD__SOCKET: proxy.socket, WEBSPACES__SWEEP__INTERVAL_SECONDS: '86400' };
  const start = () => lab.process('worker').restart({ env });
  await start();
  const metric = async (name: string, labels?: string): Promise<number> => {
    const { body } = await http(`http://127.0.0.1:${lab.profile.ports.worker}/metrics`);
    const start = labels === undefined ? `${name} ` : `${name}{${labels}} `;
    return Number(
      body
        .split('\n')
        .find((line) => line.startsWith(start))
        ?.slice(start.length) ?? 0,
    );
  };
  return {
    proxy,
    restart: start,
    metric,
    events: async (connected) => {
      const wanted = connected ? 1 : 0;
      const check = async () => (await metric('webspaces_lxd_events_connected')) === wanted;
      await waitFor(`LXD events ${connected ? '' : 'not '}connected`, check, { timeoutMs: 20_000 });
    },
    close: async () => {
      proxy.honest();
      await lab.process('worker').restart();
      await proxy.close();
    },
  };
}
