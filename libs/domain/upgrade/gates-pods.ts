import { failed, passed, podTrouble, waiting, worstOf } from './gate-outcomes.js';
import type { GateAim, GateOutcome } from './gates.js';
import type { ObservedCluster, ObservedPod } from './observed.js';
import { buildText, counted, listed, sameBuild } from './wording.js';

/** The wanted image is on each node where a pod of these members is to start. */
export function imagesPresent(observed: ObservedCluster, names: readonly string[], { nodes, build }: GateAim): GateOutcome {
  const wanted = [...new Set(names.flatMap((name) => nodes[name] ?? []))].sort();
  const states = wanted.map((node): GateOutcome => {
    const image = observed.images.find((one) => one.node === node);
    if (image?.state === 'present') return passed(node);
    if (image?.state === 'failed') {
      return failed(
        `${build.image} cannot be had on ${node}: ${image.message ?? 'no reason given'}.`,
        'See that it is in the registry and may be pulled.',
      );
    }
    return waiting(`${build.image} is not on ${node} yet.`, image?.message);
  });
  return worstOf(states) ?? passed(`${build.image} is on ${counted(wanted.length, 'node')}: ${listed(wanted)}.`);
}

/** The StatefulSet shows the wanted build and replaces no pod by itself. */
export function templateShown({ statefulSet }: ObservedCluster, _names: readonly string[], { build, probes }: GateAim): GateOutcome {
  const { name, template, updateStrategy } = statefulSet;
  if (!sameBuild(template.build, build)) return waiting(`StatefulSet ${name} still has ${buildText(template.build)}.`);
  if (updateStrategy.type !== 'OnDelete') return waiting(`StatefulSet ${name} still replaces pods by itself.`);
  const missing = probes.filter((kind) => !template.probes.includes(kind));
  const surplus = template.probes.filter((kind) => !probes.includes(kind));
  if (missing.length > 0) return waiting(`The template of ${name} has no ${listed(missing)} probe yet.`);
  if (surplus.length > 0) return waiting(`The template of ${name} still has its ${listed([...surplus].sort())} probe.`);
  return passed(`StatefulSet ${name} shows ${buildText(build)}, OnDelete.`);
}

/** Each member's pod runs the wanted build where its data is: on the node it had, or on one with a readable copy of all its volumes. */
export function podsOnNodes(observed: ObservedCluster, names: readonly string[], aim: GateAim): GateOutcome {
  const states = names.map((name): GateOutcome => {
    const pod = podOf(observed, name);
    if (!pod) return waiting(`The pod of ${name} is not there yet.`);
    if (pod.deleting === 'yes') return waiting(`Pod ${pod.name} is being stopped.`);
    const trouble = podTrouble(pod);
    if (trouble) return trouble;
    if (!sameBuild(pod.build, aim.build)) return waiting(`Pod ${pod.name} still runs ${buildText(pod.build)}.`);
    if (pod.phase !== 'Running') return waiting(`Pod ${pod.name} is ${pod.phase}.`, pod.trouble?.message);
    const node = aim.nodes[name];
    // Of storage that nobody watches it is not known where it is: it can be had on any node. Without a node in the plan its move was announced.
    if (node === undefined || pod.node === node || observed.storage === 'unwatched') return passed(pod.name);
    if (hasCopyOn(observed, name, pod.node)) return passed(pod.name);
    return failed(
      `Pod ${pod.name} came up on ${pod.node ?? 'no node'}, not on ${node}, where the data of ${name} is.`,
      `See why ${node} takes no pods (cordoned, full), then delete the pod and retry; or skip this gate: a whole copy is then built on ${pod.node ?? 'the new node'}.`,
    );
  });
  const places = names.map((name) => {
    const node = podOf(observed, name)?.node;
    return aim.nodes[name] === node || node === undefined || observed.storage === 'unwatched' ? name : `${name} (now on ${node})`;
  });
  return worstOf(states) ?? passed(`${counted(names.length, 'pod')} on the right node${names.length === 1 ? '' : 's'}: ${listed(places)}.`);
}

function hasCopyOn({ volumes }: ObservedCluster, member: string, node: string | undefined): boolean {
  const own = volumes.filter((volume) => volume.member === member);
  return own.length > 0 && own.every(({ replicas }) => replicas.some((replica) => replica.node === node && replica.mode === 'RW'));
}

/** Judged on the running pods: the template says only what the next pod will have. */
export function probesInPods(observed: ObservedCluster, names: readonly string[], { probes }: GateAim): GateOutcome {
  const states = names.map((name): GateOutcome => {
    const pod = podOf(observed, name);
    if (!pod || pod.deleting === 'yes' || pod.phase !== 'Running') return waiting(`The pod of ${name} does not run yet.`);
    const missing = probes.filter((kind) => !pod.probes.includes(kind));
    if (missing.length === 0) return passed(pod.name);
    const inTemplate = missing.every((kind) => observed.statefulSet.template.probes.includes(kind));
    return failed(
      `Pod ${pod.name} runs without its ${listed(missing)} probe.`,
      inTemplate ? `Delete ${pod.name}: its next pod has them.` : `Put the probes back into the template, then delete ${pod.name}.`,
    );
  });
  return worstOf(states) ?? passed(`${counted(names.length, 'running pod')} with ${counted(probes.length, 'probe')} each.`);
}

function podOf({ members, pods }: ObservedCluster, name: string): ObservedPod | undefined {
  const pod = members.find((member) => member.name === name)?.pod ?? name;
  return pods.find((one) => one.name === pod);
}
