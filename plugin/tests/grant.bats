#!/usr/bin/env bats

load setup

# 2027-01-15 14:20:30 UTC.
NOW=1800022830

keep() {
  stub date "[ \"\$*\" = +%s ] && echo $NOW"
  printf '%s' "$1" >"$BATS_TEST_TMPDIR/response"
  inside keydesk_keep_grant "$BATS_TEST_TMPDIR/response" "$BATS_TEST_TMPDIR/x.grant"
}

describe() {
  KEYDESK_JOB_TOKEN_AS="${2:-executable}" KEYDESK_LIFETIME=600
  keydesk_describe_grant "$BATS_TEST_TMPDIR/x.grant" "$1"
}

@test "a token has the environment, the time of its end in UTC, and how its access ends" {
  keep '{"access_token":"x","expires_in":899,"environment":"staging","revocation":"immediate"}'
  run inside describe token
  [[ "$output" == '; environment staging; token valid until 14:35 UTC (15 min), not renewed; when the job ends: rejected'* ]]
}

@test "a file has the life of each token, and the end of the job token when that is a file" {
  keep '{"access_token":"x","expires_in":600,"environment":"production","revocation":"propagating"}'
  run inside describe file
  [[ "$output" == '; environment production; client libraries'*'each valid for 10 min; when the job ends: its service account is disabled'* ]]
  run inside describe file file
  [[ "$output" == *'each valid for 10 min, until 14:30 UTC; when'* ]]
}

@test "a credential with a file and a token has the life of both" {
  keep '{"access_token":"x","expires_in":60,"environment":"staging","revocation":"expiry"}'
  run inside describe 'file and token'
  [[ "$output" == *'token valid until 14:21 UTC (60 s)'*'each valid for 60 s'*'valid until it expires' ]]
}

@test "a member that a response lacks, or has in another form, is left out" {
  local response
  for response in '{"access_token":"x"}' '<html>' '' '{"access_token":"x","expires_in":"soon","environment":"a b","revocation":"later"}' \
    '{"expires_in":0,"environment":"staging","revocation":"expiry"}'; do
    keep "$response"
    run inside describe 'file and token'
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
  rm "$BATS_TEST_TMPDIR/x.grant"
  run inside describe token
  [ -z "$output" ]
}

@test "a time near midnight is of the next day" {
  keep '{"expires_in":899,"environment":"staging","revocation":"expiry"}'
  [ "$(inside keydesk_utc 1800057600)" = '00:00 UTC' ]
  [ "$(inside keydesk_utc 1800057599)" = '23:59 UTC' ]
}
