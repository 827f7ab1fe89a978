import { startKubernetesDouble } from '#libs/testing/kubernetes-double/index.js';
import { KubernetesClient } from './client.js';
import { kubernetesContract } from './contract.js';

kubernetesContract('double', async () => {
  const double = await startKubernetesDouble();
  const client = new KubernetesClient({ kubeconfig: double.kubeconfig, namespace: 'webspaces' });
  return {
    client,
    close: async () => {
      await client.close();
      await double.close();
    },
  };
});
