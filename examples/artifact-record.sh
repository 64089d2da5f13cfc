#!/usr/bin/env bash
# Prints the record of a release, as the build wrote it. FIRESTORE_TOKEN comes from the plugin.
set -euo pipefail

curl --fail-with-body --silent --show-error --globoff --header @- \
  "$FIRESTORE/v1/projects/acme-staging/databases/(default)/documents/releases/$1" <<<"Authorization: Bearer $FIRESTORE_TOKEN"
