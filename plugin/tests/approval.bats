#!/usr/bin/env bats
# How the plugin waits for an approval.

load setup

# The responses of Keydesk, one a request; the last one stays. Each is STATUS RETRY-AFTER BODY.
responses() {
  printf '%s\n' "$@" >"$BATS_TEST_TMPDIR/responses"
  : >"$BATS_TEST_TMPDIR/slept"
  stub sleep "echo \"\$1\" >>'$BATS_TEST_TMPDIR/slept'"
  stub buildkite-agent 'case "$1" in oidc) echo a.b.c ;; redactor) cat >/dev/null ;; esac'
  stub curl "
cd '$BATS_TEST_TMPDIR'
cat >input
read -r status wait body <responses
if [ \"\$(wc -l <responses)\" -gt 1 ]; then tail -n +2 responses >rest; mv rest responses; fi
while [ \$# -gt 0 ]; do
  case \"\$1\" in --output) printf '%s' \"\$body\" >\"\$2\" ;; --dump-header) printf 'retry-after: %s\\r\\n' \"\$wait\" >\"\$2\" ;; esac
  shift
done
printf %s \"\$status\""
}

request() {
  SECONDS=0
  KEYDESK_URL=https://keydesk.acme.example KEYDESK_AUDIENCE=x KEYDESK_CLAIMS=(pipeline_id) KEYDESK_JOB_TOKEN_AS=executable
  KEYDESK_LIFETIME=300 KEYDESK_TIMEOUT=0 KEYDESK_APPROVAL_TIMEOUT="${LIMIT:-1800}"
  keydesk_start_deadline
  mkdir -p "$BATS_TEST_TMPDIR/use"
  keydesk_request staging-config "$BATS_TEST_TMPDIR/use" 2>&1
}

PENDING='400 10 {"error":"authorization_pending","request_id":"1-2","error_description":"Unblock the step.","step":"approve-production","retry_after":10}'
ISSUED='200 0 {"access_token":"ya29.0123456789abcdef","expires_in":900}'

@test "the step is named once, and the same request is sent again at Retry-After" {
  responses "$PENDING" "${PENDING/400 10/400 25}" "$PENDING" "$ISSUED"
  run inside request
  [ "$status" -eq 0 ]
  [ "$output" = 'staging-config: waiting until the step approve-production of this build is unblocked, for 30 min at most' ]
  [ "$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/slept")" = '10 25 10 ' ]
}

@test "nobody waits longer than the limit" {
  responses "$PENDING"
  LIMIT=9 run inside request
  [ "$status" -eq 1 ]
  [[ "$output" == *'did not issue staging-config: the step approve-production of this build was not unblocked in time.'* ]]
  [[ "$output" == *'Waited for: 9 s, which is approval-timeout'* ]]
  [ ! -s "$BATS_TEST_TMPDIR/slept" ]
  LIMIT=0 run inside request
  [ "$status" -eq 1 ]
}

# The plugin's clock is the shell's: each wait moves it on.
waiting_request() {
  # shellcheck disable=SC2317 # the function is called by the plugin
  sleep() {
    SECONDS=$((SECONDS + $1))
    echo "$1" >>"$BATS_TEST_TMPDIR/slept"
  }
  request
}

@test "waits together are no longer than the limit" {
  responses "$PENDING" "$PENDING" "${PENDING/400 10/400 25}"
  LIMIT=60 run inside waiting_request
  [ "$status" -eq 1 ]
  [ "$(tr '\n' ' ' <"$BATS_TEST_TMPDIR/slept")" = '10 10 25 ' ]
  [ "$(grep -c 'waiting until' <<<"$output")" -eq 1 ]
  [[ "$output" == *'the step approve-production of this build was not unblocked in time.'* ]]
  [[ "$output" == *'Waited for: 60 s, which is approval-timeout'*'What to do: unblock the step, and retry the job.'* ]]
}

@test "a wait that Keydesk does not name is ten seconds, and the name of the step is fit for a log" {
  responses '400 soon {"error":"authorization_pending","step":"a\u001b[2J"}' "$ISSUED"
  run inside request
  [ "$status" -eq 0 ]
  [ "$output" = 'staging-config: waiting until the step a?[2J of this build is unblocked, for 30 min at most' ]
  [ "$(cat "$BATS_TEST_TMPDIR/slept")" = 10 ]
}

@test "a refusal during the wait ends it" {
  responses "$PENDING" '400 0 {"error":"access_denied","request_id":"1-2","error_description":"Not by its creator."}'
  run inside request
  [ "$status" -eq 1 ]
  [[ "$output" == *'(400 access_denied)'*'What to do: follow the message. Another approval'* ]]
}

@test "only a 400 of that name is pending" {
  responses '503 1 {"error":"authorization_pending","step":"a"}'
  run inside request
  [ "$status" -eq 1 ]
  [[ "$output" != *waiting* ]]
}
