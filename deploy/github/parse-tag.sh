#!/bin/sh
# parse-tag.sh TAG: prints image=… and version=… of a tag <image>/v<version> (semantic version, strict), or fails.
set -eu
tag=$1
number='(0|[1-9][0-9]*)'
identifier='(0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)'
build='[0-9A-Za-z-]+'
segment='[a-z0-9][a-z0-9._-]*'
pattern="^$segment(/$segment)*/v$number\\.$number\\.$number(-$identifier(\\.$identifier)*)?(\\+$build(\\.$build)*)?\$"
if ! printf '%s\n' "$tag" | LC_ALL=C grep -Eqx -- "$pattern" || [ "$(printf '%s' "$tag" | wc -l)" -ne 0 ]; then
  echo "parse-tag.sh: \"$tag\" is no <image>/v<semantic version>" >&2
  exit 1
fi
echo "image=${tag%/v*}"
echo "version=${tag##*/v}"
