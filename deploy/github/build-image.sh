#!/bin/sh
# build-image.sh DEFINITION ARCH VERSION FOLDER: builds FOLDER/incus.tar.xz and FOLDER/rootfs.squashfs. As root.
# DISTROBUILDER is the program, COMPRESSION what it compresses with.
set -eu
definition=$1 arch=$2 version=$3 folder=$4
case $arch in
  amd64) architecture=x86_64 ;;
  arm64) architecture=aarch64 ;;
  *) echo "build-image.sh: no architecture \"$arch\": amd64 or arm64" >&2; exit 2 ;;
esac
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# shellcheck disable=SC2086 # a command with its arguments
${DISTROBUILDER:-distrobuilder} build-incus "$definition" "$folder" --type=split --compression="${COMPRESSION:-xz}" --cache-dir="$work/cache" \
  -o image.architecture="$architecture" -o image.serial="$version"
