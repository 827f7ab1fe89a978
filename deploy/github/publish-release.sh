#!/bin/sh
# publish-release.sh TAG FOLDER TEXT: makes the release of TAG with all files of FOLDER and the text in the file TEXT.
# It is a draft, which nobody sees, until the last asset is up; of an earlier attempt only the draft is removed.
# GITHUB_REPOSITORY, GITHUB_API_URL and GITHUB_TOKEN are those of a workflow. Needs curl and jq.
set -eu
tag=$1 folder=$2 text=$3
releases=$GITHUB_API_URL/repos/$GITHUB_REPOSITORY/releases

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The token goes by standard input, so that no list of processes shows it.
call() {
  printf 'header = "Authorization: Bearer %s"\n' "$GITHUB_TOKEN" |
    curl --config - --silent --show-error --fail-with-body --retry 3 -H 'Accept: application/vnd.github+json' -H 'X-GitHub-Api-Version: 2022-11-28' "$@"
}

call "$releases?per_page=100" | jq -r --arg tag "$tag" '.[] | select(.tag_name == $tag and .draft) | .id' | while read -r id; do
  call -X DELETE "$releases/$id"
done
prerelease=false
case ${tag##*/v} in *-*[!0-9]*) prerelease=true ;; esac
jq -n --arg tag "$tag" --rawfile text "$text" --argjson prerelease "$prerelease" \
  '{tag_name: $tag, name: $tag, body: $text, draft: true, prerelease: $prerelease}' > "$work/release.json"
draft=$(call -X POST --json "@$work/release.json" "$releases")
id=$(printf '%s' "$draft" | jq -r .id)
upload=$(printf '%s' "$draft" | jq -r '.upload_url | sub("\\{.*"; "")')
for file in "$folder"/*; do
  call -X POST -H 'Content-Type: application/octet-stream' --upload-file "$file" "$upload?name=$(basename "$file")" |
    jq -e '.state == "uploaded"' >/dev/null
done
call -X PATCH --json '{"draft": false}' "$releases/$id" | jq -r .html_url
