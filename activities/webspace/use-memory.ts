import type { Use } from '#libs/domain/use.js';
import type { KubernetesClient } from '#libs/kubernetes/client.js';

/** Name of the ConfigMap that holds what is remembered from look to look. Without it every webspace counts as used now. */
export const USE_MEMORY = 'webspaces-use';

/** What the last look at all running webspaces left. What cannot be read is forgotten. */
export async function rememberedUses(kube: Pick<KubernetesClient, 'find'>, signal: AbortSignal): Promise<ReadonlyMap<string, Use>> {
  const object = await kube.find('configMap', USE_MEMORY, { signal });
  return parseMemory((object?.['data'] as { readonly use?: string } | undefined)?.use);
}

function parseMemory(text: string | undefined): Map<string, Use> {
  try {
    const entries = Object.entries(JSON.parse(text ?? '{}') as Record<string, readonly [number, number]>);
    return new Map(entries.map(([name, [sentBytes, usedAt]]) => [name, { sentBytes, usedAt }]));
  } catch {
    return new Map();
  }
}
