import { startLab } from '#lab/harness.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { kubernetesContract } from '#libs/kubernetes/contract.js';

/** As the lab's administrator: the cases use more than the Role of a process allows. */
kubernetesContract('API server of the lab', async () => {
  const lab = await startLab({ profile: 'test', apps: 'none' });
  const client = new KubernetesClient({ kubeconfig: lab.kubeconfigAdmin, namespace: 'webspaces' });
  return { client, close: () => client.close() };
});
