#!/bin/sh
# release-text.sh IMAGE VERSION FOLDER: prints the text of a release with the block of checksums of all assets in FOLDER.
# With it a server of images needs no checksum file; `sha256sum -c --ignore-missing` reads it too.
set -eu
image=$1 version=$2
cd "$3"
ls lxd.*.tar.xz >/dev/null
cat <<TEXT
Image \`$image\` $version. Checksums (SHA-256); \`combined\` is the image's fingerprint.

\`\`\`
TEXT
for metadata in lxd.*.tar.xz; do
  arch=${metadata#lxd.}
  arch=${arch%.tar.xz}
  # Of the bytes themselves, not of the files beside them.
  sha256sum "$metadata" "rootfs.$arch.squashfs"
  cat "$metadata" "rootfs.$arch.squashfs" | sha256sum | sed "s/-\$/combined.$arch/"
done
echo '```'
