import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { readConfig } from './load.js';
import { kubernetesSchema } from './schemas.js';

const POD = { KUBERNETES_SERVICE_HOST: '10.96.0.1', KUBERNETES_SERVICE_PORT: '443' };

function read(
  argv: readonly string[],
  env: Record<string, string> = POD,
  schema: z.ZodType = z.strictObject({ kubernetes: kubernetesSchema }),
) {
  const answer = readConfig({ name: 'x', schema, argv, env });
  if (answer.kind !== 'config') throw new Error(answer.text);
  return answer.config;
}

test.each([
  ['10.96.0.1', 'https://10.96.0.1:443'],
  ['fd00::1', 'https://[fd00::1]:443'],
])('a pod is told the API server by two variables: %s', (host, server) => {
  expect(read([], { ...POD, KUBERNETES_SERVICE_HOST: host })).toEqual({ kubernetes: { namespace: 'webspaces', server } });
});

test('what the settings say counts more, and outside of a pod there is none', () => {
  expect(read(['--kubernetes.server', 'https://kube:6443'])).toMatchObject({ kubernetes: { server: 'https://kube:6443' } });
  expect(read(['--kubernetes.kubeconfig', '/kubeconfig'])).toEqual({ kubernetes: { namespace: 'webspaces', kubeconfig: '/kubeconfig' } });
  expect(read([], {})).toEqual({ kubernetes: { namespace: 'webspaces' } });
});

test('a process without such settings does not notice', () => {
  expect(read([], POD, z.strictObject({ name: z.string().default('x') }))).toEqual({ name: 'x' });
});
