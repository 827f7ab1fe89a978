import type { KubelanConfig } from '#libs/config/kubelan.js';
import type { FurtherAnswers } from '#libs/service/health-server.js';
import type { State } from './state.js';

/** The original's two answers: `/health` is 204 or 500, and `/config` has the names of its fields. */
export function originalAnswers(
  config: KubelanConfig,
  { state, problems }: { readonly state: () => State; readonly problems: () => Readonly<Record<string, string>> },
): FurtherAnswers {
  return (path) => {
    switch (path) {
      case '/health': {
        const reasons = problems();
        return Object.keys(reasons).length === 0 ? { status: 204, body: undefined } : { status: 500, body: { reasons } };
      }
      case '/config':
        return { status: 200, body: originalConfig(config, state()) };
      default:
        return undefined;
    }
  };
}

/** Whoever shares the pod learns the interface's name and MTU here, as it is in force. */
function originalConfig({ log, listen, kubernetes, lan, hooks }: KubelanConfig, { underlay, mtu }: State) {
  return {
    LogLevel: log.level,
    HTTPAddress: `${listen.host.includes(':') ? `[${listen.host}]` : listen.host}:${listen.port}`,
    IP: underlay ?? '',
    Namespace: kubernetes.namespace,
    Services: lan.services,
    VXLAN: { Interface: lan.interface, VNI: lan.vni, Port: lan.port, MTU: mtu === 0 ? (lan.mtu ?? -1) : mtu },
    Hooks: { Up: hooks.up, Change: hooks.change },
  };
}
