#!/usr/bin/env bats
# What a person reads when the step does not get a credential. What to do depends on status and members, never on words.

load setup

# 2027-01-15 14:20:30 UTC.
NOW=1800022830

# refused STATUS RESPONSE [CURL-CODE]: as if that had come back, to a use with the settings below.
refused() {
  stub date "echo $NOW"
  printf '%s' "$2" >"$BATS_TEST_TMPDIR/answer"
  KEYDESK_URL="${URL:-https://keydesk.acme.example}" KEYDESK_STATUS="$1" KEYDESK_CURL="${3:-0}" KEYDESK_AUDIENCE='an "audience"'
  KEYDESK_CLAIMS=(organization_id pipeline_id) KEYDESK_TIMEOUT=300 KEYDESK_LIFETIME=7200
  KEYDESK_JOB_TOKEN_AS="${AS:-executable}" KEYDESK_JOB_TOKEN="${TOKEN-a.b.c}"
}

hint() {
  refused "$@"
  keydesk_hint "$BATS_TEST_TMPDIR"
}

report() {
  refused "$@"
  keydesk_report_refusal staging-config "$BATS_TEST_TMPDIR" 2>&1
}

base64url() {
  printf '%s' "$1" | base64 | tr -d '\n=' | tr '+/' '-_'
}

# A job token with these claims. Its header and its signature are words that no log may hold.
token_of() {
  printf 'HeaderOfTheToken.%s.SignatureOfTheToken' "$(base64url "$1")"
}

@test "what to do follows from the status and the members" {
  [[ "$(inside hint 401 '{"error":"invalid_token"}')" == *'audience "an "audience"".' ]]
  [[ "$(AS='file' inside hint 401 '{"error":"invalid_token"}')" == *', lifetime 7200.'* ]]
  [[ "$(inside hint 400 '{"error":"invalid_target"}')" == 'check the name'* ]]
  [[ "$(URL=https://keydesk.acme.example/token inside hint 400 '{"error":"invalid_target"}')" == 'remove /token from url'* ]]
  [[ "$(inside hint 400 '{"error":"invalid_grant"}')" == 'follow the message'* ]]
  [[ "$(inside hint 404 '{"error":"not_found"}')" == *'without /token.' ]]
  [[ "$(inside hint 403 '<html>')" == 'check url, and'* ]]
  [[ "$(inside hint 500 '{"error":"server_error"}')" == 'retry the job later.'* ]]
  [[ "$(inside hint 503 '{"error":"temporarily_unavailable","permanent":true}')" == 'do not retry'* ]]
  [[ "$(inside hint 000 '' 60)" == *certificate* ]]
  [[ "$(inside hint 000 '' 7)" == 'check url, and'* ]]
  [[ "$(inside hint 000 '' 127)" == 'install curl'* ]]
}

@test "the hint has the time of a retry that can succeed, when Keydesk names it" {
  [[ "$(inside hint 503 '{"error":"temporarily_unavailable","retry_after":1006}')" == 'retry the job after 14:37 UTC (in 17 min).'*'300 s'* ]]
  [[ "$(inside hint 429 '{"error":"temporarily_unavailable","retry_after":30}')" == 'retry the job after 14:21 UTC (in 30 s).'* ]]
  [[ "$(inside hint 503 '{"error":"temporarily_unavailable","retry_after":"soon"}')" == 'retry the job later.'* ]]
}

@test "missing claims are added to the claims of the setting" {
  run inside hint 400 '{"error":"invalid_request","missing_claims":["build_id", "agent_tag:queue","$(id)","a b"]}'
  [ "${lines[1]}" = '    claims: [organization_id, pipeline_id, build_id, agent_tag:queue]' ]
}

@test "the claims of the job are printed with the command that explains the decision" {
  TOKEN="$(token_of '{"iss":"https://agent.buildkite.com","sub":"secret-subject","aud":"x","iat":1,"organization_slug":"acme-inc","pipeline_slug":"web","build_number":7,"build_branch":"it'\''s $(id) \"new\"","build_tag":null,"step_key":"","agent_tag:queue":"default"}')"
  run inside report 400 '{"error":"invalid_target","request_id":"1-2"}'
  [[ "$output" == *'    build_branch=it'\''s $(id) "new"'* ]]
  [[ "$output" == *"    keydesk policy explain staging-config --policy policy.yaml --claim pipeline_slug=web --claim build_number=7 --claim 'build_branch=it'\\''s \$(id) \"new\"' --claim agent_tag:queue=default" ]]
  [[ "$output" != *OfTheToken* && "$output" != *secret-subject* && "$output" != *build_tag* && "$output" != *step_key* ]]
  # The command is one that a shell reads back as it was meant.
  keydesk() { printf '%s\n' "$@"; }
  command="${lines[${#lines[@]} - 1]}"
  [ "$(eval "$command" | sed -n 11p)" = "build_branch=it's \$(id) \"new\"" ]
}

@test "a payload that cannot be read is left out" {
  local TOKEN
  for TOKEN in '' a.b.c 'a.!.c' "$(token_of '[]')" "$(token_of '{"a":{"b":{"c":1}},"pipeline_slug":"web"}')" "a.$(head -c 6000 /dev/zero | tr '\0' e).c"; do
    run inside report 400 '{"error":"invalid_target"}'
    [ "$status" -eq 0 ]
    [[ "$output" != *Claims* ]]
  done
}

@test "text of any length and bytes is decoded" {
  local text
  for text in '' a ab abc abcd '{"a":"ü~?>"}' '???>>>~~~'; do
    [ "$(inside keydesk_base64url "$(base64url "$text")")" = "$text" ]
  done
  run inside keydesk_base64url 'a+b'
  [ "$status" -eq 1 ]
}
