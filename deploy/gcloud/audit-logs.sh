#!/usr/bin/env bash
# deploy/gcloud/audit-logs.sh PROJECT SERVICE...: switches on the Data Access audit logs of these services in a project.
# gcloud has no command for it, so the project's IAM policy is read, changed by audit-logs.ts and written back with its
# etag: when somebody else has changed it meanwhile, Google refuses, and nothing is lost. Safe to repeat.

set -euo pipefail
(($# > 1)) || { echo 'usage: deploy/gcloud/audit-logs.sh PROJECT SERVICE...' >&2 && exit 2; }
project=$1
shift

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
node=$here/../../node_modules/.bin/node
[[ -x $node ]] || { echo 'audit-logs.sh: run npm ci in the repository first' >&2 && exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

gcloud projects get-iam-policy "$project" --format=json --quiet >"$work/before"
missing=$("$node" "$here/audit-logs.ts" --missing "$@" <"$work/before")
if [[ -z $missing ]]; then
  echo "$project: the audit logs of $* are on already"
  exit 0
fi
"$node" "$here/audit-logs.ts" "$@" <"$work/before" >"$work/after.json"
gcloud projects set-iam-policy "$project" "$work/after.json" --format=none --quiet
echo "$project: the audit logs of $* are on"
