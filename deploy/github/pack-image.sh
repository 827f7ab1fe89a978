#!/bin/sh
# pack-image.sh -a ARCH -o FOLDER [-m METADATA] INPUT: writes the five assets of one architecture into FOLDER.
#   INPUT     a folder with lxd.tar.xz or incus.tar.xz and rootfs.squashfs, as distrobuilder leaves it;
#             or a root file system: a folder, a squashfs, or a tar archive of any compression
#   METADATA  for a root file system: a folder with metadata.yaml (and templates/), or such a tar.xz
# Equal input gives equal assets. Times in what is packed here are SOURCE_DATE_EPOCH's, or those of metadata.yaml's creation_date.
# Needs tar, xz and, for a root file system, mksquashfs. As root, when the root file system has owners to keep.
set -eu
export LC_ALL=C

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "pack-image.sh: $*" >&2; exit 1; }

arch='' folder='' metadata=''
while getopts a:o:m: option; do
  case $option in a) arch=$OPTARG ;; o) folder=$OPTARG ;; m) metadata=$OPTARG ;; *) usage ;; esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] && [ -n "$arch" ] && [ -n "$folder" ] || usage
input=$1
case $arch in *[!a-z0-9_]*) fail "no architecture \"$arch\"" ;; esac
[ -e "$input" ] || fail "$input is not there"
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

squash() { # of the folder $1
  mksquashfs "$1" "$work/rootfs.squashfs" -noappend -no-progress -quiet -comp "${COMPRESSION:-xz}" -b 1M -all-time "$epoch" -mkfs-time "$epoch" >/dev/null
}

if [ -z "$metadata" ] && [ -d "$input" ] && [ -f "$input/rootfs.squashfs" ]; then
  for name in lxd.tar.xz incus.tar.xz; do
    if [ -z "$metadata" ] && [ -f "$input/$name" ]; then metadata=$input/$name; fi
  done
  [ -n "$metadata" ] || fail "$input has a rootfs.squashfs and neither lxd.tar.xz nor incus.tar.xz"
  input=$input/rootfs.squashfs
fi
[ -n "$metadata" ] || fail "$input needs metadata: -m"

if [ -d "$metadata" ]; then
  [ -f "$metadata/metadata.yaml" ] || fail "$metadata has no metadata.yaml"
  yaml=$(cat "$metadata/metadata.yaml")
else
  yaml=$(tar -xJOf "$metadata" metadata.yaml) || fail "$metadata is no tar.xz with a metadata.yaml"
fi
epoch=${SOURCE_DATE_EPOCH:-$(printf '%s\n' "$yaml" | sed -n 's/^ *"\{0,1\}creation_date"\{0,1\}: *\([0-9][0-9]*\).*/\1/p' | head -n 1)}
[ -n "$epoch" ] || fail "metadata.yaml has no creation_date"

if [ -d "$metadata" ]; then
  entries=metadata.yaml
  [ -d "$metadata/templates" ] && entries="$entries templates"
  # shellcheck disable=SC2086 # a list of names
  tar --format=gnu --numeric-owner --owner=0 --group=0 --mode=u+rwX,go+rX,go-w --sort=name --mtime="@$epoch" -C "$metadata" -cf - $entries |
    xz -9 -T1 -c > "$folder/lxd.$arch.tar.xz"
else
  cp "$metadata" "$folder/lxd.$arch.tar.xz"
fi

if [ -d "$input" ]; then
  squash "$input"
elif [ "$(head -c 4 "$input")" = hsqs ]; then
  cp "$input" "$work/rootfs.squashfs"
else
  mkdir "$work/rootfs"
  tar --numeric-owner --xattrs --xattrs-include='*' -C "$work/rootfs" -xpf "$input"
  squash "$work/rootfs"
fi
mv "$work/rootfs.squashfs" "$folder/rootfs.$arch.squashfs"

cd "$folder"
sha256sum "lxd.$arch.tar.xz" > "lxd.$arch.tar.xz.sha256"
sha256sum "rootfs.$arch.squashfs" > "rootfs.$arch.squashfs.sha256"
# LXD's fingerprint of the image.
cat "lxd.$arch.tar.xz" "rootfs.$arch.squashfs" | sha256sum | sed "s/-\$/combined.$arch/" > "combined.$arch.sha256"
