import type { ChartLab } from '#lab/chart/chart-lab.js';

type Labels = Readonly<Record<string, string>>;
interface Selector {
  readonly matchLabels?: Labels;
}
interface Policy {
  readonly spec: {
    readonly podSelector: Selector;
    readonly ingress?: readonly {
      readonly from?: readonly { readonly podSelector?: Selector; readonly namespaceSelector?: Selector }[];
      readonly ports?: readonly { readonly port?: string | number; readonly protocol?: string }[];
    }[];
  };
}
interface Target {
  readonly metadata: { readonly labels: Labels };
  readonly spec: {
    readonly containers: readonly { readonly ports?: readonly { readonly name?: string; readonly containerPort: number }[] }[];
  };
}

/** Who comes: of which namespace, with which labels. */
export interface Comer {
  readonly namespace: string;
  readonly labels: Labels;
}

const fits = (selector: Selector, labels: Labels) =>
  Object.entries(selector.matchLabels ?? {}).every(([key, value]) => labels[key] === value);

/**
 * Whether the NetworkPolicies of the release, as the API server holds them, let such a pod in at a TCP port of that pod. It reads them as Kubernetes
 * says they are meant; the lab's network enforces none.
 */
export async function admits(chart: ChartLab, namespace: string, pod: string, port: number, comer: Comer): Promise<boolean> {
  const { items } = JSON.parse(await chart.kubectl(['get', 'networkpolicies', '--output', 'json'])) as {
    readonly items: readonly Policy[];
  };
  const { metadata, spec } = JSON.parse(await chart.kubectl(['get', 'pod', pod, '--output', 'json'])) as Target;
  const selecting = items.filter((policy) => fits(policy.spec.podSelector, metadata.labels));
  if (selecting.length === 0) return true;
  const named = spec.containers.flatMap(({ ports = [] }) => ports).filter(({ containerPort }) => containerPort === port);
  const isPort = (wanted?: string | number) => wanted === undefined || wanted === port || named.some(({ name }) => name === wanted);
  return selecting.some(({ spec: { ingress = [] } }) =>
    ingress.some(
      ({ from, ports }) =>
        (ports === undefined || ports.some(({ port: wanted, protocol = 'TCP' }) => protocol === 'TCP' && isPort(wanted))) &&
        (from === undefined ||
          from.some(
            ({ podSelector = {}, namespaceSelector }) =>
              fits(podSelector, comer.labels) &&
              (namespaceSelector
                ? fits(namespaceSelector, { 'kubernetes.io/metadata.name': comer.namespace })
                : comer.namespace === namespace),
          )),
    ),
  );
}
