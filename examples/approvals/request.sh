#!/usr/bin/env bash
# A Buildkite step that waits for an approval with curl, and then has an access token. KEYDESK is the service's URL.
set -euo pipefail

ANSWER=$(mktemp) HEADERS=$(mktemp)
trap 'rm -f "$ANSWER" "$HEADERS"' EXIT
fail() { cat "$ANSWER" >&2; exit 1; }

# A job waits for longer than a job token lives, so each request has a new one. STATUS is 000 if no response came.
request() {
  local job_token
  job_token=$(buildkite-agent oidc request-token --audience "https://keydesk.acme.example" \
    --claim organization_id --claim pipeline_id)
  : >"$ANSWER"
  STATUS=$(curl --silent --show-error --max-time 60 --output "$ANSWER" --dump-header "$HEADERS" --write-out '%{http_code}' \
    --data "" "$KEYDESK/token/production-config" -H "Accept: text/plain" \
    -H @- <<<"Authorization: Bearer $job_token") || STATUS=000
}

DEADLINE=$((SECONDS + 1800)) AWAITED=''
request
while [[ $STATUS != 200 ]]; do
  if grep -q '"authorization_pending"' "$ANSWER"; then
    STEP=$(sed 's/.*"step":"\([^"]*\)".*/\1/' "$ANSWER")
    [[ $STEP == "$AWAITED" ]] || echo "Waiting until the step $STEP of this build is unblocked, for 30 minutes at most." >&2
    AWAITED=$STEP
  elif [[ ! $STATUS =~ ^(000|429|5..)$ ]] || grep -q '"permanent":true' "$ANSWER"; then
    fail
  fi
  ((SECONDS < DEADLINE)) || fail
  sleep "$(awk 'tolower($1) == "retry-after:" { seconds = $2 + 0 } END { print seconds ? seconds : 10 }' "$HEADERS")"
  request
done
ACCESS_TOKEN=$(cat "$ANSWER")

curl --fail-with-body --silent --show-error --globoff -X PATCH \
  "$FIRESTORE/v1/projects/acme-production/databases/(default)/documents/config/web" \
  -H @- -H "Content-Type: application/json" \
  -d '{"fields":{"replicas":{"integerValue":"3"}}}' <<<"Authorization: Bearer $ACCESS_TOKEN"
