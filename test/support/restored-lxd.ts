import { IMAGES } from '#lab/cluster/images.js';
import { CLUSTER } from '#lab/cluster/manifests.js';
import { run } from '#lab/exec.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

/** The pod of {@link startRestored}. */
export const RESTORED = 'restored';

/** LXD of its own from the copy `tar` of the database of lxd-0, unpacked into the folder `data` of the node: it takes itself for that member, alone. */
export async function startRestored(
  kube: KubernetesClient,
  { tar, data, node }: { readonly tar: string; readonly data: string; readonly node: string },
): Promise<void> {
  await run('sh', ['-c', `mkdir -p ${data} && tar -C ${data} -xf ${tar}`]);
  const address = `lxd-0.${CLUSTER.service}.${CLUSTER.namespace}.svc.cluster.local`;
  const start = 'yes | lxd cluster recover-from-quorum-loss -q; exec /usr/local/sbin/lxd.sh';
  await kube.create('wholePod', {
    metadata: { name: RESTORED },
    spec: {
      nodeName: node,
      restartPolicy: 'Never',
      hostAliases: [{ ip: '127.0.0.1', hostnames: [address] }],
      containers: [
        {
          ...{ name: 'lxd', image: IMAGES.lxd, command: ['sh', '-c', start], securityContext: { privileged: true } },
          volumeMounts: [{ name: 'data', mountPath: '/var/lib/lxd' }],
        },
      ],
      volumes: [{ name: 'data', hostPath: { path: data } }],
    },
  });
}
