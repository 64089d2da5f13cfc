#!/usr/bin/env bash
# Records in a project's configuration which commit it runs. FIRESTORE_TOKEN comes from the plugin.
set -euo pipefail

curl --fail-with-body --silent --show-error --globoff --header @- -H "Content-Type: application/json" -X PATCH \
  -d "{\"fields\":{\"commit\":{\"stringValue\":\"$BUILDKITE_COMMIT\"}}}" \
  "$FIRESTORE/v1/projects/$1/databases/(default)/documents/$2?updateMask.fieldPaths=commit" \
  <<<"Authorization: Bearer $FIRESTORE_TOKEN"
