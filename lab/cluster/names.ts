/** Names of the lab's LXD cluster. Its member `lxd-0` is pod `lxd-0`. */
export const CLUSTER = {
  namespace: 'lxd8s',
  statefulSet: 'lxd',
  container: 'lxd',
  service: 'lxd',
  lease: 'lxd-upgrade',
  probePort: 9797,
} as const;
