#!/usr/bin/env bash
# Writes an entry of the cache that the application reads. FIRESTORE_TOKEN comes from the plugin.
set -euo pipefail

entry=$1
value=$(printf '%s' "$2" | base64 | tr -d '\n')

curl --fail-with-body --silent --show-error --globoff --header @- -H "Content-Type: application/json" -X PATCH \
  -d "{\"fields\":{\"value\":{\"bytesValue\":\"$value\"}}}" \
  "$FIRESTORE/v1/projects/acme-staging/databases/(default)/documents/cache/$entry" <<<"Authorization: Bearer $FIRESTORE_TOKEN"
