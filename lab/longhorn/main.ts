import { setTimeout as delay } from 'node:timers/promises';
import { messageOf } from '#libs/errors/platform-error.js';
import { KubernetesClient } from '#libs/kubernetes/client.js';
import { startHealth } from './health.js';
import { Simulator } from './simulator.js';

/** `<kubeconfig> <namespace of Longhorn> <namespace of the claims> <port>`: a simulator of Longhorn; there is no data behind its volumes. */
const [kubeconfig, namespace = '', claimsNamespace = '', port = ''] = process.argv.slice(2);
const STEP_MS = 300;

const say = (line: string) => console.log(`${new Date().toISOString()} ${line}`);
const kube = new KubernetesClient({ kubeconfig, namespace, fieldManager: 'longhorn-simulator' });
const simulator = new Simulator({ kube, namespace, claimsNamespace });
const health = await startHealth(Number(port));
say(`a simulator of Longhorn, no Longhorn: plays volumes for the claims of namespace ${claimsNamespace}`);

let trouble: string | undefined;
for (;;) {
  try {
    await simulator.step(Date.now());
    health.beat();
    if (trouble !== undefined) say('going on');
    trouble = undefined;
  } catch (error) {
    // Said once, whatever it is: the API server may be away, an object may have changed meanwhile; the next look is a new one.
    if (messageOf(error) !== trouble) say(messageOf(error));
    trouble = messageOf(error);
  }
  await delay(STEP_MS);
}
