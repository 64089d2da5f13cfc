#!/usr/bin/env bash
# Sends Keydesk a forged job token, requests a credential that must be issued, releases it, and requests one that must be refused.
# Runs as a step of a scheduled Buildkite pipeline; deploy/monitoring/README.md has the policy and the step. Prints no token.
set -euo pipefail
umask 077

usage() {
  cat <<'USAGE'
usage: probe.sh
Requests a credential that Keydesk must issue and one that it must refuse, as a step of a Buildkite job.

  KEYDESK_URL             the token function
  KEYDESK_AUDIENCE        the policy's audience; KEYDESK_URL when it is not set
  KEYDESK_CANARY          the credential that must be issued: canary
  KEYDESK_CANARY_DENIED   the credential that no rule grants: canary-denied

exit codes: 0 all responses are as expected; 1 a response is not, but nothing leaked; 2 a credential was issued that must be
refused, or is accepted after its end; 3 the probe itself cannot run. It makes five requests of 20 seconds at most.
USAGE
}
case "${1:-}" in
  '') ;;
  -h | --help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 3
    ;;
esac

url="${KEYDESK_URL:-}"
url="${url%/}"
if [[ ! "$url" =~ ^https?://[^[:space:]]+$ ]]; then
  echo 'probe: KEYDESK_URL must be the URL of the token function' >&2
  exit 3
fi
audience="${KEYDESK_AUDIENCE:-$url}"
granted="${KEYDESK_CANARY:-canary}"
denied="${KEYDESK_CANARY_DENIED:-canary-denied}"

folder="$(mktemp -d)"
trap 'rm -rf -- "$folder"' EXIT

# post WHAT INPUT ARGUMENT...: posts, with INPUT as curl's standard input, where no process list shows it. Sets `status`,
# which is 000 without a response; the response is in $folder/response.
post() {
  local path="$1" input="$2"
  shift 2
  rm -f -- "$folder/response"
  status="$(printf '%s' "$input" | curl --disable --silent --show-error --globoff --proto '=http,https' \
    --connect-timeout 10 --max-time 20 --max-filesize 65536 --user-agent keydesk-probe \
    --output "$folder/response" --write-out '%{http_code}' "$@" "$url$path")" || status=000
}

# request CREDENTIAL JOB_TOKEN
request() {
  post "/token/$1" "Authorization: Bearer $2"$'\n' --header @- --header 'Content-Type:' --data ''
}

member() {
  { sed -n 's/.*"'"$1"'": *"\([^"\\]*\)".*/\1/p' "$folder/response" 2>/dev/null || true; } | head -n 1
}

result=0
# worse CODE MESSAGE: a leak outweighs a failure.
worse() {
  echo "probe: $2 (status $status, error $(member error | tr -cd 'a-z_'), request id $(member request_id | tr -cd '0-9a-f-'))" >&2
  if [[ "$1" -gt "$result" ]]; then
    result="$1"
  fi
}

# must_refuse STATUS ERROR WHAT
must_refuse() {
  if [[ "$status" == 2* ]]; then
    worse 2 "ISSUED: $3"
  elif [[ "$status" != "$1" || "$(member error)" != "$2" ]]; then
    worse 1 "not refused as expected, with $1 $2: $3"
  else
    echo "refused, as expected: $3"
  fi
}

# must_have_ended ACCESS_TOKEN: checks that a released token is no longer active.
must_have_ended() {
  post /introspect "$1" --data-urlencode token@-
  if [[ "$status" == 200 ]] && grep -Eq '"active": *true' "$folder/response"; then
    worse 2 'STILL ACCEPTED after its release'
  elif [[ "$status" != 200 ]] || ! grep -Eq '"active": *false' "$folder/response"; then
    worse 1 'it is not known whether the released credential has ended'
  else
    echo 'released, and ended'
  fi
}

if ! job_token="$(buildkite-agent oidc request-token --audience "$audience" --claim organization_id --claim pipeline_id)" ||
  [[ ! "$job_token" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]; then
  echo 'probe: buildkite-agent gave no job token' >&2
  exit 3
fi

# The same token with another signature of the same form. Before the job's grant has ended, so that nothing else refuses it.
signature="$(printf '%s' "${job_token##*.}" | tr 'A-Za-z0-9' 'N-ZA-Mn-za-m5-90-4')"
request "$granted" "${job_token%.*}.$signature"
must_refuse 401 invalid_token 'a forged job token'

request "$granted" "$job_token"
access_token="$(member access_token)"
if [[ "$status" == 200 && -n "$access_token" ]]; then
  echo "issued, as expected: $granted"
  post /revoke "$access_token" --data-urlencode token@-
  if [[ "$status" == 200 ]]; then
    must_have_ended "$access_token"
  else
    worse 1 'the grant was not released'
  fi
else
  worse 1 "not issued: $granted"
fi

request "$denied" "$job_token"
must_refuse 400 invalid_target "$denied"

exit "$result"
