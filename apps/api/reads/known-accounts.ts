import { webspaceNameFor } from '#libs/domain/names.js';
import { readableRecord } from '#libs/domain/record.js';
import { isPlatformError } from '#libs/errors/platform-error.js';
import type { AccountInfo, Directory } from '#libs/identity/identity.js';
import type { LxdClient } from '#libs/lxd/client.js';
import type { LxdInstance } from '#libs/lxd/types.js';

/** The accounts that have a webspace, by what its record says of the owner: all that is known where the identity service has no directory. */
export function knownAccounts(
  lxd: LxdClient,
  { instancePrefix, timeoutMs }: { readonly instancePrefix: string; readonly timeoutMs: number },
): Directory {
  return {
    async byId(id) {
      try {
        const { value } = await lxd.instances.get(webspaceNameFor(instancePrefix, id), { timeoutMs });
        return [value].flatMap(ownerOf).find((owner) => owner.id === id);
      } catch (error) {
        if (isPlatformError(error, 'NOT_FOUND')) return undefined;
        throw error;
      }
    },
    async byName(username) {
      return (await lxd.instances.list({ timeoutMs })).flatMap(ownerOf).find((owner) => owner.username === username);
    },
  };
}

/** Nobody when the instance is no webspace or its record cannot be read. */
function ownerOf(instance: LxdInstance): AccountInfo[] {
  const owner = readableRecord(instance)?.owner;
  return owner?.username === undefined ? [] : [{ id: owner.id, username: owner.username, isAdmin: false }];
}
