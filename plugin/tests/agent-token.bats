#!/usr/bin/env bats
# Where the plugin gets the machine's token from. Whole requests to fakes of the platforms are in Keydesk's own tests.

load setup

JWT=aGVhZGVy.cGF5bG9hZA.c2lnbmF0dXJl

# from SOURCE [VALUE]: prints the token, or the messages.
from() {
  KEYDESK_AGENT_FROM="$1" KEYDESK_AGENT_SOURCE="${2-}" KEYDESK_AGENT_AUDIENCE='https://keydesk.acme.example' SECONDS=1000
  KEYDESK_KUBERNETES_FILE="${KUBERNETES_FILE:-$KEYDESK_KUBERNETES_FILE}"
  keydesk_fresh_agent_token "$BATS_TEST_TMPDIR" 2>&1 || return 1
  printf '<%s>\n' "$KEYDESK_AGENT_TOKEN"
}

redactor() {
  stub buildkite-agent 'cat >>"$0.redacted"'
}

@test "a use without agent-token sends none" {
  [ "$(inside from '')" = '<>' ]
}

exports() {
  REPLY=secret
  env
}

@test "a variable that the job exports is not handed on with what the plugin keeps in it" {
  export REPLY=1
  [[ "$(inside exports)" != *secret* ]]
}

@test "a file is read, and the job's log redacts what is in it" {
  redactor
  printf '%s\n' "$JWT" >"$BATS_TEST_TMPDIR/token"
  [ "$(inside from file "$BATS_TEST_TMPDIR/token")" = "<$JWT>" ]
  [ "$(cat "$BATS_TEST_TMPDIR/bin/buildkite-agent.redacted")" = "$JWT" ]
  [ "$(KUBERNETES_FILE="$BATS_TEST_TMPDIR/token" inside from kubernetes)" = "<$JWT>" ]
}

@test "a file that is missing, or holds no token, is reported without what is in it" {
  redactor
  run inside from kubernetes
  [ "$status" -eq 1 ]
  [[ "$output" == *'agent-token (kubernetes): /var/run/secrets/tokens/keydesk cannot be read.'* ]]
  local text
  for text in '' 'a.b' 'a.b.c.d' "$JWT $JWT" "$JWT\$(id)" "$(head -c 9000 /dev/zero | tr '\0' x).b.c"; do
    printf '%s' "$text" >"$BATS_TEST_TMPDIR/token"
    run inside from file "$BATS_TEST_TMPDIR/token"
    [ "$status" -eq 1 ]
    [[ "$output" == *'agent-token (file) is no JWT of 8 KiB or less.'* ]]
    [[ "$output" != *aGVhZGVy* ]]
  done
  [ ! -e "$BATS_TEST_TMPDIR/bin/buildkite-agent.redacted" ]
}

@test "a command prints the token, and gets the audience as its argument" {
  redactor
  # shellcheck disable=SC2016 # the command's own
  [ "$(inside from command 'printf "%s.%s.x" "$(printf %s "$1" | tr -dc a-z)" b')" = '<httpskeydeskacmeexample.b.x>' ]
  run inside from command 'echo "no role" >&2; exit 3'
  [ "$status" -eq 1 ]
  [[ "$output" == *'no role'*'the command of agent-token failed.'* ]]
}

@test "a token that the job's log cannot redact is not used" {
  printf '%s' "$JWT" >"$BATS_TEST_TMPDIR/token"
  run inside from file "$BATS_TEST_TMPDIR/token"
  [ "$status" -eq 1 ]
  [[ "$output" == *"the machine's token could not be redacted"* ]]
}

@test "a token is used again for a while, and then requested again" {
  redactor
  twice() {
    from command "$1"
    SECONDS=$((SECONDS + $2))
    keydesk_fresh_agent_token "$BATS_TEST_TMPDIR"
  }
  local count="echo x >>'$BATS_TEST_TMPDIR/count'; echo $JWT"
  inside twice "$count" 99
  [ "$(wc -l <"$BATS_TEST_TMPDIR/count" | tr -d ' ')" -eq 1 ]
  inside twice "$count" 100
  [ "$(wc -l <"$BATS_TEST_TMPDIR/count" | tr -d ' ')" -eq 3 ]
}

@test "a metadata service is on a link of this machine" {
  local host
  stub curl 'touch "$0.called"'
  for host in evil.example 'metadata.google.internal.evil.example' '127.0.0.1:80/x' 'a@127.0.0.1' '10.0.0.1' $'127.0.0.1\n-o/tmp/x'; do
    GCE_METADATA_HOST="$host" run inside from gcp
    [ "$status" -eq 1 ]
    [[ "$output" == *'agent-token (gcp): GCE_METADATA_HOST names no metadata service of this machine.'* ]]
    AWS_EC2_METADATA_SERVICE_ENDPOINT="http://$host" run inside from aws
    [ "$status" -eq 1 ]
    [[ "$output" == *'agent-token (aws): AWS_EC2_METADATA_SERVICE_ENDPOINT names no metadata service of this machine.'* ]]
  done
  AWS_EC2_METADATA_SERVICE_ENDPOINT=https://169.254.169.254 run inside from aws
  [ "$status" -eq 1 ]
  [ ! -e "$BATS_TEST_TMPDIR/bin/curl.called" ]
}

@test "a machine without a metadata service is reported with what to do" {
  stub curl 'cat >/dev/null; echo "curl: (28) Connection timed out" >&2; printf 000; exit 28'
  run inside from gcp
  [[ "$output" == *"agent-token (gcp): Google's metadata server returned no token (curl: (28) Connection timed out)."* ]]
  run inside from aws
  [[ "$output" == *'agent-token (aws): the metadata service of EC2 returned no token (curl: (28) Connection timed out).'*'hop limit'* ]]
}
