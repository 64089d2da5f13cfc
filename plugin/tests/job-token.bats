#!/usr/bin/env bats
# bin/job-token, as Google's libraries run it. Every response is parsed by a JSON parser where there is one.

load setup

# The script as it is in a step: next to its audience and its claims.
lay_out() {
  cp "$PLUGIN/bin/job-token" "$BATS_TEST_TMPDIR/job-token"
  printf '%s' "${1:-https://keydesk.acme.example}" >"$BATS_TEST_TMPDIR/audience"
  printf '%s\n' "${@:2}" >"$BATS_TEST_TMPDIR/claims"
}

ask() {
  "${SH:-/bin/sh}" "$BATS_TEST_TMPDIR/job-token" 2>&1
}

# One line on standard output, nothing on standard error, exit code 0, and JSON.
answered() {
  [ "$status" -eq 0 ]
  [ "${#lines[@]}" -eq 1 ]
  if command -v node >/dev/null; then
    printf '%s' "$output" | node -e 'JSON.parse(require("fs").readFileSync(0, "utf8"))'
  fi
}

@test "a token is in the form that Google's libraries read" {
  stub buildkite-agent 'echo eyJhbGciOiJSUzI1NiJ9.e30.c2ln'
  lay_out https://keydesk.acme.example pipeline_id
  run ask
  answered
  [ "$output" = '{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"eyJhbGciOiJSUzI1NiJ9.e30.c2ln"}' ]
}

@test "audience and claims reach the agent as they are" {
  stub buildkite-agent 'printf "%s\n" "$@" >"$0.calls"; echo a.b.c'
  lay_out '-a "b'\''$(id)`id`\ *' pipeline_id 'agent_tag:$(id)'
  run ask
  answered
  diff - "$BATS_TEST_TMPDIR/bin/buildkite-agent.calls" <<'CALLS'
oidc
request-token
--audience=-a "b'$(id)`id`\ *
--claim=pipeline_id
--claim=agent_tag:$(id)
CALLS
}

@test "the agent's other output is dropped" {
  stub buildkite-agent 'echo "a warning" >&2; echo a.b.c'
  lay_out x pipeline_id
  run ask
  answered
  [[ "$output" == *'"id_token":"a.b.c"}' ]]
}

@test "a failure is a response too, with the agent's message" {
  stub buildkite-agent "$(cat <<'STUB'
printf 'fatal: "422" C:\\temp\ttab\nsecond \033[31mline\n' >&2
exit 1
STUB
)"
  lay_out x pipeline_id
  run ask
  answered
  [ "$output" = '{"version":1,"success":false,"token_type":"urn:ietf:params:oauth:token-type:jwt","code":"KEYDESK_NO_JOB_TOKEN","message":"buildkite-agent oidc request-token failed, as it does once the job has ended: fatal: \"422\" C:\\temp tab second [31mline"}' ]
}

@test "a failure without a message, and one with a long message" {
  stub buildkite-agent 'exit 1'
  lay_out x pipeline_id
  run ask
  answered
  [[ "$output" == *'has ended: is buildkite-agent on the PATH?"}' ]]
  stub buildkite-agent 'while [ "${n:-0}" -lt 500 ]; do n=$((${n:-0} + 1)); printf "\\\\\"ü\n" >&2; done; exit 1'
  run ask
  answered
  [ "${#output}" -lt 1500 ]
}

@test "a missing agent is a failure" {
  rm "$BATS_TEST_TMPDIR/bin/buildkite-agent"
  lay_out x pipeline_id
  run ask
  answered
  [[ "$output" == *'"success":false'* ]]
}

@test "output that is no token is a failure" {
  stub buildkite-agent 'echo "{\"a\":\"b\"}"'
  lay_out x pipeline_id
  run ask
  answered
  [[ "$output" == *'has ended: it printed something other than a token"}' ]]
  stub buildkite-agent 'true'
  run ask
  answered
  [[ "$output" == *'"success":false'* ]]
}

@test "tracing and other options, inherited by a bash that is sh, change nothing" {
  stub buildkite-agent 'echo a.b.c'
  lay_out x pipeline_id
  ln -s "$(command -v bash)" "$BATS_TEST_TMPDIR/sh"
  SH="$BATS_TEST_TMPDIR/sh" run env SHELLOPTS=xtrace:errexit:nounset "$BATS_TEST_TMPDIR/sh" "$BATS_TEST_TMPDIR/job-token"
  answered
  [[ "$output" == *'"id_token":"a.b.c"}' ]]
}

@test "it reads nothing from standard input" {
  stub buildkite-agent 'cat; echo a.b.c'
  lay_out x pipeline_id
  run ask < <(echo surprise)
  answered
  [[ "$output" == *'"id_token":"a.b.c"}' ]]
}

# What the hooks do with the agent.

settings() {
  KEYDESK_AUDIENCE=x KEYDESK_CLAIMS=(pipeline_id) KEYDESK_JOB_TOKEN_AS="$1" KEYDESK_LIFETIME="$2"
}

@test "a job token is kept for a third of its life, and then requested again" {
  stub buildkite-agent 'echo call >>"$0.calls"; echo "a.b.c$(wc -l <"$0.calls" | tr -d " ")"'
  twice() {
    settings executable 300
    SECONDS=0
    keydesk_fresh_job_token && printf '%s\n' "$KEYDESK_JOB_TOKEN"
    SECONDS=99
    keydesk_fresh_job_token && printf '%s\n' "$KEYDESK_JOB_TOKEN"
    SECONDS=100
    keydesk_fresh_job_token && printf '%s\n' "$KEYDESK_JOB_TOKEN"
  }
  run inside twice
  [ "$output" = $'a.b.c1\na.b.c1\na.b.c2' ]
}

@test "only a job token for a file is requested with a lifetime" {
  stub buildkite-agent 'echo "$*" >>"$0.calls"; echo a.b.c'
  both() {
    settings executable 300
    keydesk_fresh_job_token
    KEYDESK_JOB_TOKEN=''
    settings file 120
    keydesk_fresh_job_token
  }
  inside both
  [ "$(cat "$BATS_TEST_TMPDIR/bin/buildkite-agent.calls")" = $'oidc request-token --audience=x --claim=pipeline_id\noidc request-token --audience=x --claim=pipeline_id --lifetime=120' ]
}

@test "a secret reaches the redactor on its standard input and nowhere else" {
  stub buildkite-agent 'echo "$*" >"$0.calls"; cat >"$0.input"; echo "INFO reading" >&2'
  run inside keydesk_redact 'the token of x' "s3cret %s \\"
  [ "$status" -eq 0 ]
  [ -z "$output" ]
  [ "$(cat "$BATS_TEST_TMPDIR/bin/buildkite-agent.calls")" = 'redactor add --format none' ]
  [ "$(cat "$BATS_TEST_TMPDIR/bin/buildkite-agent.input")" = "s3cret %s \\" ]
}
