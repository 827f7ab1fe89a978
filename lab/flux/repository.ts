import { parse } from 'yaml';
import { z } from 'zod';
import { BUMP, CLUSTER, DEFAULTS, FAILS_AS_MEMBER, type Probes, type StatefulSetOptions } from '../cluster/manifests.js';

/** The repository that the lab's LXD cluster follows, in the lab's simulator of GitHub. */
export const FLUX = {
  repository: 'example/flux',
  base: 'main',
  file: 'clusters/lab/lxd.yaml',
  imagePath: 'spec.values.image',
  environmentPaths: { [BUMP]: `spec.values.environment.${BUMP}`, [FAILS_AS_MEMBER]: `spec.values.environment.${FAILS_AS_MEMBER}` },
  probesPath: 'spec.values.enableProbes',
} as const;

/** The file of a cluster as it begins. */
export function firstRelease(probes: Exclude<Probes, 'none'>): string {
  return `# What the LXD cluster of this lab runs. A small program of the lab plays Flux and follows this file.
apiVersion: helm.toolkit.fluxcd.io/v2
kind: HelmRelease
metadata:
  name: lxd
  namespace: ${CLUSTER.namespace}
spec:
  interval: 1s
  values:
    image: ${DEFAULTS.image} # a whole reference
    environment:
      ${BUMP}: '${DEFAULTS.environment[BUMP] ?? ''}' # counts for LXD's versions
      ${FAILS_AS_MEMBER}: ''
    enableProbes: true # the switch of an upgrade; off only meanwhile
    probes: ${probes} # exec or lease
`;
}

const release = z.object({
  kind: z.literal('HelmRelease'),
  spec: z.object({
    values: z.object({
      image: z.string().min(1),
      environment: z.record(z.string(), z.coerce.string()),
      enableProbes: z.boolean(),
      probes: z.enum(['exec', 'lease']),
    }),
  }),
});

/** What the file asks of the StatefulSet. @throws for one that the chart would not take. */
export function wantedBy(text: string): StatefulSetOptions & { readonly probes: Probes } {
  const { image, environment, enableProbes, probes } = release.parse(parse(text)).spec.values;
  // As a chart does that leaves an empty variable out.
  const given = Object.entries(environment).filter(([, value]) => value !== '');
  return { image, environment: Object.fromEntries(given), probes: enableProbes ? probes : 'none' };
}
