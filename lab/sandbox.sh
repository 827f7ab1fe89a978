#!/bin/bash
# A world of its own for one LXD: net, mount, pid, uts, ipc and cgroup namespaces that vanish with one SIGKILL.
#   sandbox.sh run DIR NAME             stays in the foreground as the holder of the namespaces; DIR/ready appears when they are usable
#   sandbox.sh in DIR INIT COMMAND...   runs a command inside; INIT is the host's pid of the sandbox's pid 1
#   sandbox.sh clean DIR                removes the cgroups of a sandbox that is gone
# `in` starts no process before nsenter: the lab takes the first child for the command.
set -u
command=$1 dir=$2
shift 2

pure_v2() { [ "$(wc -l < /proc/self/cgroup)" = 1 ]; }

# One directory in every mounted hierarchy, below the cgroup of whoever starts the sandbox.
cgroup_dirs() {
  if pure_v2; then
    # At the root, not in a session's scope: only there do controllers reach the containers.
    echo "/sys/fs/cgroup/webspaces-$1"
    return
  fi
  local id controllers path mount
  while IFS=: read -r id controllers path; do
    case "$controllers" in
      "") mount=/sys/fs/cgroup/unified ;;
      name=*) mount=/sys/fs/cgroup/${controllers#name=} ;;
      *) mount=/sys/fs/cgroup/$controllers ;;
    esac
    [ -d "$mount" ] && echo "$mount${path%/}/webspaces-$1"
  done < /proc/self/cgroup
}

# Before the namespaces are entered: a process that joins later stands at `/..` of the cgroup namespace.
join_cgroups() {
  local group
  while read -r group; do echo $BASHPID > "$group/cgroup.procs" || exit 71; done < "$dir/cgroups"
}

clean_cgroups() {
  [ -e "$dir/cgroups" ] || return 0
  local group attempt
  while read -r group; do
    for attempt in $(seq 100); do
      [ -d "$group" ] || break
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
      [ -d "$group" ] && sleep 0.02
    done
    [ -d "$group" ] && echo "cgroup $group could not be removed" >&2
  done < "$dir/cgroups"
  return 0
}

case $command in
  run)
    name=$1
    clean_cgroups
    mkdir -p "$dir"
    rm -f "$dir/ready"
    cgroup_dirs "$name" > "$dir/cgroups"
    while read -r group; do
      mkdir -p "$group" || exit 70
      # A new directory of the cpuset v1 hierarchy has no CPU and no memory node until it is given some.
      if [ -e "$group/cpuset.mems" ] && [ ! -s "$group/cgroup.controllers" ]; then
        cat "$group/../cpuset.cpus" > "$group/cpuset.cpus"
        cat "$group/../cpuset.mems" > "$group/cpuset.mems"
      fi
    done < "$dir/cgroups"
    join_cgroups
    exec unshare --net --mount --pid --uts --ipc --cgroup --fork --kill-child=KILL --mount-proc bash "$0" init "$dir" "$name"
    ;;
  init)
    set -e
    name=$1
    mount --make-rslave /
    # sysfs shows the network namespace in which it was mounted, and LXD reads /sys/class/net.
    umount -Rl /sys
    mount -t sysfs sysfs /sys
    if pure_v2; then
      mount -t cgroup2 cgroup2 /sys/fs/cgroup
    else
      mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
      while IFS=: read -r id controllers path; do
        case "$controllers" in
          "") mkdir /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified ;;
          name=*) mkdir "/sys/fs/cgroup/${controllers#name=}" && mount -t cgroup -o "none,$controllers" cgroup "/sys/fs/cgroup/${controllers#name=}" ;;
          *) mkdir "/sys/fs/cgroup/$controllers" && mount -t cgroup -o "$controllers" cgroup "/sys/fs/cgroup/$controllers" ;;
        esac
      done < /proc/self/cgroup
    fi
    # Device nodes of its own: the udev rules of a privileged container would change the mode of the host's.
    mount -t tmpfs -o mode=700 devices /mnt
    for node in fuse:10:229 net/tun:10:200; do
      IFS=: read -r path major minor <<< "$node"
      [ -e "/dev/$path" ] || continue
      mknod -m 600 "/mnt/${path//\//-}" c "$major" "$minor"
      mount --bind "/mnt/${path//\//-}" "/dev/$path"
    done
    ip link set lo up
    hostname "$name"
    trap 'exit 0' TERM
    touch "$dir/ready"
    # pid 1 must reap what is left to it; bash does so while it waits.
    while :; do
      sleep 3600 &
      wait $!
    done
    ;;
  in)
    init=$1
    shift
    join_cgroups
    exec nsenter -t "$init" --net --mount --pid --uts --ipc --cgroup -- "$@"
    ;;
  clean) clean_cgroups ;;
  *) echo "usage: sandbox.sh run|in|clean" >&2; exit 64 ;;
esac
