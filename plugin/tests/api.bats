#!/usr/bin/env bats

load setup

answer() {
  printf '%s' "$1" >"$BATS_TEST_TMPDIR/answer"
}

post() {
  keydesk_post https://keydesk.acme.example/token/x "$BATS_TEST_TMPDIR" $'Authorization: Bearer s3cret\n' --header @-
  printf '%s %s\n' "$KEYDESK_STATUS" "$KEYDESK_CURL"
}

@test "members are read from Keydesk's JSON" {
  answer '{"error":"invalid_request","error_description":"The job token lacks claims, two of them. Request id: 1-2","request_id":"1-2","expires_in":540,"revocation":"expiry"}'
  [ "$(inside keydesk_member error "$BATS_TEST_TMPDIR/answer")" = invalid_request ]
  [ "$(inside keydesk_member expires_in "$BATS_TEST_TMPDIR/answer")" = 540 ]
  [ "$(inside keydesk_member revocation "$BATS_TEST_TMPDIR/answer")" = expiry ]
  [ "$(inside keydesk_member error_description "$BATS_TEST_TMPDIR/answer")" = 'The job token lacks claims, two of them. Request id: 1-2' ]
  [ -z "$(inside keydesk_member nothing "$BATS_TEST_TMPDIR/answer")" ]
  [ -z "$(inside keydesk_member error "$BATS_TEST_TMPDIR/no-such-file")" ]
}

@test "text that is not one JSON object has no members" {
  local text
  for text in '' '{}' null '<html>' 'released' '[{"error":"x"}]' '{"error":"x"' '{"error":"x",}' '{"error":"x"}x' '{"error":"x"}{"a":1}' \
    '{"error":"x","error":"y"}' "{'error':'x'}" '{"error":x}' '{"error":"x","n":01}' '{"error":"x","s":"\x"}' $'{"error":"x","s":"\n"}' \
    "{\"error\":\"x\",\"s\":\"$(head -c 21000 /dev/zero | tr '\0' x)\"}"; do
    answer "$text"
    run inside keydesk_read_members "$BATS_TEST_TMPDIR/answer"
    [ "$status" -eq 1 ]
    [ -z "$(inside keydesk_member error "$BATS_TEST_TMPDIR/answer")" ]
  done
  printf '{"error":"a\0b"}' >"$BATS_TEST_TMPDIR/answer"
  [ -z "$(inside keydesk_member error "$BATS_TEST_TMPDIR/answer")" ]
}

@test "members may come in any order, with lists and objects between them, and with escapes in their texts" {
  answer '{ "error" : "invalid_request", "request_id": "1-2", "missing_claims": ["build_id","a,b"], "more": {"a": 1}, "retry_after": 300, "error_description": "Ask \"them\", \\ and \u00fc:\n{error: x}, [y]" }
'
  [ "$(inside keydesk_member error "$BATS_TEST_TMPDIR/answer")" = invalid_request ]
  [ "$(inside keydesk_member retry_after "$BATS_TEST_TMPDIR/answer")" = 300 ]
  [ "$(inside keydesk_member error_description "$BATS_TEST_TMPDIR/answer")" = 'Ask "them", \ and ?: {error: x}, [y]' ]
}

@test "a failure is permanent only when the member is true, and not a text" {
  answer '{"error":"temporarily_unavailable","request_id":"1-2","error_description":"Google refuses.","permanent":true}'
  inside keydesk_is_permanent "$BATS_TEST_TMPDIR/answer"
  local text
  for text in '{"permanent":false}' '{"permanent":"true"}' '{"error_description":"\"permanent\":true"}' '{"error":"x"}' '"permanent":true' '{"permanent":true'; do
    answer "$text"
    run inside keydesk_is_permanent "$BATS_TEST_TMPDIR/answer"
    [ "$status" -eq 1 ]
  done
}

@test "the last of several headers counts, whatever its case" {
  printf 'HTTP/1.1 503 x\r\nRetry-After: 1\r\n\r\nHTTP/2 503\r\nretry-after:  30\r\nX-Retry-After: 7\r\n\r\n' >"$BATS_TEST_TMPDIR/headers"
  [ "$(inside keydesk_header retry-after "$BATS_TEST_TMPDIR/headers")" = 30 ]
  [ -z "$(inside keydesk_header x-request-id "$BATS_TEST_TMPDIR/headers")" ]
  [ -z "$(inside keydesk_header x-request-id "$BATS_TEST_TMPDIR/no-such-file")" ]
}

@test "text from outside fits on one line" {
  [ "$(printf 'a\033[2J\n+++ b\tc\r\0d\303\274  ' | inside keydesk_printable)" = 'a [2J +++ b c d' ]
  [ "$(head -c 5000 /dev/zero | tr '\0' x | inside keydesk_printable | wc -c | tr -d ' ')" -le 601 ]
}

@test "only a failure that may pass is retried" {
  check() {
    KEYDESK_STATUS="$1" KEYDESK_CURL="$2"
    keydesk_is_retryable
  }
  local case
  for case in '503 0' '429 0' '500 0' '000 6' '000 7' '000 28' '000 52' '000 56'; do
    # shellcheck disable=SC2086 # two words
    run inside check $case
    [ "$status" -eq 0 ]
  done
  for case in '400 0' '401 0' '403 0' '404 0' '302 0' '000 60' '000 3' '000 127'; do
    # shellcheck disable=SC2086 # two words
    run inside check $case
    [ "$status" -eq 1 ]
  done
}

@test "a pause is as long as Retry-After says, and never past the deadline" {
  stub sleep 'echo "slept $1"'
  KEYDESK_STATUS=503 KEYDESK_CURL=0
  pause() {
    SECONDS=0 KEYDESK_DEADLINE="$2"
    printf 'retry-after: %s\n' "$1" >"$BATS_TEST_TMPDIR/headers"
    answer '{"error":"temporarily_unavailable"}'
    keydesk_pause x "$BATS_TEST_TMPDIR" 1
  }
  run inside pause 20 25
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = 'x: the request failed (503 temporarily_unavailable); retrying in 20 s' ]
  [ "${lines[1]}" = 'slept 20' ]
  run inside pause 20 15
  [ "$status" -eq 1 ]
  [ -z "$output" ]
  run inside pause 08 15
  [[ "$output" == *'slept 8' ]]
  run inside pause 'Fri, 31 Dec 2027 23:59:59 GMT' 10
  [[ "$output" =~ ^slept\ [12]$ ]]
}

@test "curl gets the secret on its standard input, reads no file of the user's, and follows no redirect" {
  stub curl 'printf "%s\n" "$@" >"$0.calls"; cat >"$0.input"; printf 200'
  run inside post
  [ "$output" = '200 0' ]
  [ "$(cat "$BATS_TEST_TMPDIR/bin/curl.input")" = 'Authorization: Bearer s3cret' ]
  [ "$(head -n 1 "$BATS_TEST_TMPDIR/bin/curl.calls")" = --disable ]
  run grep -E 's3cret|--location|^-L|--insecure|--noproxy' "$BATS_TEST_TMPDIR/bin/curl.calls"
  [ "$status" -eq 1 ]
}

@test "curl gets no URL of an unexpected form" {
  local url
  post_to() {
    keydesk_post "$1" "$BATS_TEST_TMPDIR" s3cret --data @-
    printf '%s %s: %s\n' "$KEYDESK_STATUS" "$KEYDESK_CURL" "$(keydesk_outcome "$BATS_TEST_TMPDIR")"
  }
  stub curl 'touch "$0.calls"'
  for url in -K/dir/revoke http://10.0.0.1/revoke 'https://a.example/revoke --output x' file:///etc/passwd ''; do
    run inside post_to "$url"
    [ "$output" = '000 3: curl: (3) the URL of Keydesk has an unexpected form' ]
  done
  [ ! -e "$BATS_TEST_TMPDIR/bin/curl.calls" ]
  stub curl 'printf "%s\n" "$@" >"$0.calls"; printf 200'
  run inside post
  [ "$(tail -n 2 "$BATS_TEST_TMPDIR/bin/curl.calls")" = $'--url\nhttps://keydesk.acme.example/token/x' ]
}

@test "an incomplete response has the status 000" {
  stub curl 'cat >/dev/null; printf 200; exit 18'
  run inside post
  [ "$output" = '000 18' ]
}
