#!/usr/bin/env bash
# Shows the desk a forged job token, asks it for a credential it must hand out, gives that back, and asks for one it must refuse.
# Runs as a step of a scheduled Buildkite pipeline; deploy/monitoring/README.md has the policy and the step. Prints no token.
set -euo pipefail
umask 077

usage() {
  cat <<'USAGE'
usage: probe.sh
Asks a desk for what must be handed out and for what must be refused, as a step of a Buildkite job.

  KEYDESK_URL             the token function
  KEYDESK_AUDIENCE        the policy's audience; KEYDESK_URL when it is not set
  KEYDESK_CANARY          the credential that must be handed out: canary
  KEYDESK_CANARY_DENIED   the credential that no rule grants: canary-denied

exit codes: 0 all is as it must be; 1 the desk does not answer as it must, but nothing leaked; 2 something was handed out
that must be refused, or is accepted after its end; 3 the probe itself cannot run. It makes five requests of 20 seconds at most.
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
# which is 000 when no answer came; the answer is in $folder/answer.
post() {
  local path="$1" input="$2"
  shift 2
  rm -f -- "$folder/answer"
  status="$(printf '%s' "$input" | curl --disable --silent --show-error --globoff --proto '=http,https' \
    --connect-timeout 10 --max-time 20 --max-filesize 65536 --user-agent keydesk-probe \
    --output "$folder/answer" --write-out '%{http_code}' "$@" "$url$path")" || status=000
}

# ask CREDENTIAL JOB_TOKEN
ask() {
  post "/token/$1" "Authorization: Bearer $2"$'\n' --header @- --header 'Content-Type:' --data ''
}

member() {
  { sed -n 's/.*"'"$1"'": *"\([^"\\]*\)".*/\1/p' "$folder/answer" 2>/dev/null || true; } | head -n 1
}

result=0
# worse CODE MESSAGE: what leaked outweighs what failed.
worse() {
  echo "probe: $2 (status $status, error $(member error | tr -cd 'a-z_'), request id $(member request_id | tr -cd '0-9a-f-'))" >&2
  if [[ "$1" -gt "$result" ]]; then
    result="$1"
  fi
}

# must_refuse STATUS ERROR WHAT
must_refuse() {
  if [[ "$status" == 2* ]]; then
    worse 2 "HANDED OUT: $3"
  elif [[ "$status" != "$1" || "$(member error)" != "$2" ]]; then
    worse 1 "not refused as it must be, with $1 $2: $3"
  else
    echo "refused, as it must be: $3"
  fi
}

# must_be_dead ACCESS_TOKEN: what was given back says so itself.
must_be_dead() {
  post /introspect "$1" --data-urlencode token@-
  if [[ "$status" == 200 ]] && grep -Eq '"active": *true' "$folder/answer"; then
    worse 2 'STILL ACCEPTED after it was given back'
  elif [[ "$status" != 200 ]] || ! grep -Eq '"active": *false' "$folder/answer"; then
    worse 1 'it cannot be told whether what was given back is dead'
  else
    echo 'given back, and dead'
  fi
}

if ! job_token="$(buildkite-agent oidc request-token --audience "$audience" --claim organization_id --claim pipeline_id)" ||
  [[ ! "$job_token" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]; then
  echo 'probe: buildkite-agent gave no job token' >&2
  exit 3
fi

# The same token, its signature another of the same form. Before the job's grant has ended, so that nothing else refuses it.
signature="$(printf '%s' "${job_token##*.}" | tr 'A-Za-z0-9' 'N-ZA-Mn-za-m5-90-4')"
ask "$granted" "${job_token%.*}.$signature"
must_refuse 401 invalid_token 'a forged job token'

ask "$granted" "$job_token"
access_token="$(member access_token)"
if [[ "$status" == 200 && -n "$access_token" ]]; then
  echo "handed out, as it must be: $granted"
  post /revoke "$access_token" --data-urlencode token@-
  if [[ "$status" == 200 ]]; then
    must_be_dead "$access_token"
  else
    worse 1 'the grant was not taken back'
  fi
else
  worse 1 "not handed out: $granted"
fi

ask "$denied" "$job_token"
must_refuse 400 invalid_target "$denied"

exit "$result"
