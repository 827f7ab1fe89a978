#!/bin/bash
# Entry point of the image of LXD, for a privileged pod. LXD's state is the volume on /var/lib/lxd.
# On cgroup v1 a container's mounts do not agree with /proc/self/cgroup; a cgroup namespace with fresh mounts does.
set -eu
[ "${1:-}" = inner ] || exec unshare --cgroup --mount --propagation private "$0" inner
umount -R /sys/fs/cgroup
if [ "$(wc -l < /proc/self/cgroup)" = 1 ]; then
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
else
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  while IFS=: read -r _ controllers _; do
    case "$controllers" in
      "") mkdir /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified ;;
      name=*) mkdir "/sys/fs/cgroup/${controllers#name=}" && mount -t cgroup -o "none,$controllers" cgroup "/sys/fs/cgroup/${controllers#name=}" ;;
      *) mkdir "/sys/fs/cgroup/$controllers" && mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers" ;;
    esac
  done < /proc/self/cgroup
fi
mount -o remount,rw /sys || true
mkdir -p /run/lxd /var/log/lxd
if [ "${LAB_FAILS_AS_MEMBER:-}" = 1 ] && [ -e /var/lib/lxd/cluster.crt ]; then
  echo "an LXD that ends as a member, on purpose" >&2
  exit 1
fi
lxd --logfile /var/log/lxd/lxd.log &
daemon=$!
# Nothing goes on running in this pod; a daemon that waits for other members ignores TERM.
trap 'timeout "${STOP_SECONDS:-8}" lxd shutdown --timeout 5 || kill -KILL $daemon || true' TERM INT
while kill -0 $daemon; do wait $daemon || true; done 2> /dev/null
