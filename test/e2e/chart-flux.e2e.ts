import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { stringify } from 'yaml';
import { Helm } from '#lab/chart/helm.js';
import { projectRoot } from '#lab/project.js';
import { clustersSchema } from '#libs/config/clusters.js';
import { templateEdits } from '#libs/gitops/template-edits.js';
import { editYaml } from '#libs/gitops/yaml-edits.js';
import { configurationsOf, filesNotMounted, type Manifest, manifestsOf, verdictOf, workerOf, workloadsOf } from '../support/chart.js';

interface HelmRelease extends Manifest {
  readonly spec: { readonly chart: { readonly spec: { readonly valuesFiles: readonly string[] } }; readonly values: object };
}
const file = join(projectRoot(), 'deploy', 'flux', 'webspaces.yaml');
const releasedFrom = async (text: string) => {
  const release = manifestsOf(text).find(({ kind }) => kind === 'HelmRelease') as HelmRelease;
  const own = join(folder, 'flux.yaml');
  writeFileSync(own, stringify(release.spec.values));
  const shipped = release.spec.chart.spec.valuesFiles.map((path) => join(projectRoot(), path));
  return manifestsOf(await helm.template([...shipped, own]));
};
const imageOf = (objects: readonly Manifest[]) =>
  workloadsOf(objects)
    .find(({ metadata }) => metadata.name === 'lxd')
    ?.spec.template.spec.containers.find(({ name }) => name === 'member')?.image;

// Each call of helm reads the whole schema of values, and each verdict is a process.
jest.setTimeout(60_000);

let helm: Helm;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webspaces-flux-'));
  // It renders, and asks no cluster.
  helm = new Helm(join(folder, 'helm'), join(folder, 'no-kubeconfig'), 'webspaces');
  // The first one on a machine is built from source.
  await helm.run(['version', '--short']);
}, 600_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('webspaces.yaml for Flux', () => {
  it('has values that the chart takes, with all the files that its processes are told of', async () => {
    const objects = await releasedFrom(readFileSync(file, 'utf8'));
    expect(filesNotMounted(objects)).toEqual([]);
    for (const [name, text] of configurationsOf(objects).filter(([map]) => map !== 'preseed.yaml'))
      expect({ name, verdict: await verdictOf(folder, name.replace('.yaml', ''), text) }).toEqual({ name, verdict: 'accepted' });
  });

  it('has a line that an upgrade of LXD changes by its pull request, and the members’ image with it alone', async () => {
    const before = readFileSync(file, 'utf8');
    const objects = await releasedFrom(before);
    const { clusters } = workerOf(objects) as { readonly clusters: readonly object[] };
    const [cluster] = clustersSchema.parse(clusters);
    const settings = cluster?.way.kind === 'gitops' ? cluster.way : undefined;
    if (!settings) throw new Error('no way by pull request');
    expect(settings.file).toBe('apps/webspaces.yaml');
    const image = 'registry.example.org/webspaces/lxd8s-member:0.2.0';
    const edits = templateEdits(settings, before, { build: { image, environment: {} }, probes: [] });
    const after = editYaml(settings.file, before, edits);
    const changed = await releasedFrom(after);
    expect(imageOf(objects)).toBe('registry.example.org/webspaces/lxd8s-member:0.1.0');
    expect(imageOf(changed)).toBe(image);
    const others = (all: readonly Manifest[]) => stringify(all).replaceAll(/lxd8s-member:0\.[12]\.0/g, '');
    expect(others(changed)).toBe(others(objects));
  });
});
