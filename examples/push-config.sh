#!/usr/bin/env bash
# A Buildkite step that writes a release's configuration to Firestore with curl. KEYDESK is the service's URL.
set -euo pipefail

JOB_TOKEN=$(buildkite-agent oidc request-token --audience "https://keydesk.acme.example" \
  --claim organization_id --claim pipeline_id)

ANSWER=$(mktemp)
trap 'rm -f "$ANSWER"' EXIT
curl --fail-with-body --silent --show-error --max-time 60 --retry 3 --retry-max-time 300 --output "$ANSWER" \
  --data "" "$KEYDESK/token/staging-config" -H @- -H "Accept: text/plain" <<<"Authorization: Bearer $JOB_TOKEN" \
  || { cat "$ANSWER"; exit 1; }
ACCESS_TOKEN=$(cat "$ANSWER")

curl --fail-with-body --silent --show-error --globoff -X PATCH \
  "$FIRESTORE/v1/projects/acme-staging/databases/(default)/documents/config/web" \
  -H @- -H "Content-Type: application/json" \
  -d '{"fields":{"replicas":{"integerValue":"3"}}}' <<<"Authorization: Bearer $ACCESS_TOKEN"
