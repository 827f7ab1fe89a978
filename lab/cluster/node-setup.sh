#!/bin/bash
# Prepares the namespaces of a node, once; FOLDER is for files of its own.
set -eu
folder=$1
[ ! -e /run/node-ready ] || exit 0
# Shared inside, so that pods see volumes; still only a slave of the host.
mount --make-rshared /
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns "$folder/sysctl" "$folder/log"
mount --bind "$folder/log" /var/log
# The kubelet sets these of the whole machine, and here only files of its own.
for key in vm/overcommit_memory kernel/panic kernel/panic_on_oops; do
  file=$folder/sysctl/${key//\//-}
  cat "/proc/sys/$key" > "$file"
  mount --bind "$file" "/proc/sys/$key"
done
touch /run/node-ready
