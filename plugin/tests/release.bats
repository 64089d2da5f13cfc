#!/usr/bin/env bats
# The plugin checks the files in its folder again before it sends a secret.

load setup

# A use of the plugin that received one credential.
use() {
  USE="$BATS_TEST_TMPDIR/private/1"
  mkdir -p "$USE"
  printf '%s' https://keydesk.acme.example >"$USE/url"
  printf '%s' ya29.0123456789abcdef >"$USE/staging-config.access-token"
  printf '%s' host-secret-0123456789 >"$BATS_TEST_TMPDIR/secret"
}

# A curl that writes this response to the file of --output, with status 200.
stub_keydesk() {
  printf '%s' "$1" >"$BATS_TEST_TMPDIR/says"
  stub curl 'printf "%s\n" "$@" >"$0.calls"; cat >"$0.input"
    while [ "$1" != --output ]; do shift; done; cat "${0%/bin/curl}/says" >"$2"; printf 200'
}

expect_not_released() {
  run inside keydesk_release "$USE"
  [ "$output" = "staging-config: could not be released (its files were changed); Keydesk will end it when it learns of the job's end" ]
  [ ! -e "$BATS_TEST_TMPDIR/bin/curl.calls" ]
}

@test "a token is sent to the url in its folder, on curl's standard input" {
  use
  stub_keydesk '{"request_id":"1-2"}'
  run inside keydesk_release "$USE"
  [ "$output" = 'staging-config: released' ]
  [ "$(cat "$BATS_TEST_TMPDIR/bin/curl.input")" = ya29.0123456789abcdef ]
  [ "$(tail -n 1 "$BATS_TEST_TMPDIR/bin/curl.calls")" = https://keydesk.acme.example/revoke ]
}

@test "a link in place of a token, or of its url, is not followed" {
  stub curl 'touch "$0.calls"; printf 200'
  use
  ln -sf "$BATS_TEST_TMPDIR/secret" "$USE/staging-config.access-token"
  expect_not_released
  use
  mv "$USE/url" "$BATS_TEST_TMPDIR/url"
  ln -s "$BATS_TEST_TMPDIR/url" "$USE/url"
  expect_not_released
}

@test "a link in place of the folder is not followed" {
  stub curl 'touch "$0.calls"; printf 200'
  use
  mv "$USE" "$BATS_TEST_TMPDIR/elsewhere"
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$USE"
  run inside keydesk_release "$USE"
  [ -z "$output" ]
  [ ! -e "$BATS_TEST_TMPDIR/bin/curl.calls" ]
}

@test "nothing is sent to a text that is no URL, and no text that is no token is sent" {
  local text
  stub curl 'touch "$0.calls"; printf 200'
  for text in -K/dir http://attacker.example $'https://keydesk.acme.example\n-K/dir' ''; do
    use
    printf '%s' "$text" >"$USE/url"
    expect_not_released
  done
  for text in short 'root:x:0:0:root:/root:/bin/bash' $'two-lines-of-it\ntwo-lines-of-it' ''; do
    use
    printf '%s' "$text" >"$USE/staging-config.access-token"
    expect_not_released
  done
}

@test "no existing file is overwritten" {
  stub_keydesk '{"request_id":"1-2"}'
  use
  mkdir "$BATS_TEST_TMPDIR/precious"
  ln -s "$BATS_TEST_TMPDIR/secret" "$USE/staging-config.access-token.said"
  ln -s "$BATS_TEST_TMPDIR/precious" "$USE/staging-config.access-token.release"
  run inside keydesk_release "$USE"
  [ "$output" = 'staging-config: released' ]
  [ "$(cat "$BATS_TEST_TMPDIR/secret")" = host-secret-0123456789 ]
  [ -z "$(ls "$BATS_TEST_TMPDIR/precious")" ]
}

@test "the log says released only after a response of Keydesk" {
  local text
  use
  for text in '{"request_id":"1-2"}' '{"request_id":"1-2","revocation":"immediate"}' '{"revocation":"propagating","request_id":"1-2"}'; do
    stub_keydesk "$text"
    run inside keydesk_release "$USE"
    [ "$output" = 'staging-config: released' ]
  done
  for text in '' '{}' '<html>released</html>' '{"active":false}' '{"request_id":""}' '{"request_id":"1-2"' '{"request_id":"1-2","revocation":"none"}' \
    '{"request_id":"1-2","revocation":""}' '{"request_id":"1-2","revocation":null}' '{"request_id":null}' '{"request_id":"1-2","request_id":"1-2"}' \
    '{"request_id":"1-2","error":"invalid_request"}'; do
    stub_keydesk "$text"
    run inside keydesk_release "$USE"
    [ "$output" = "staging-config: could not be released (200, but not a response of Keydesk); Keydesk will end it when it learns of the job's end" ]
  done
}

@test "the log says for how long a token still works" {
  use
  stub_keydesk '{"request_id":"1-2","revocation":"expiry","expires_in":899}'
  run inside keydesk_release "$USE"
  [ "$output" = 'staging-config: will not be renewed; the token works for another 899 s' ]
  stub_keydesk '{"request_id":"1-2","revocation":"expiry","expires_in":"soon"}'
  run inside keydesk_release "$USE"
  [ "$output" = 'staging-config: will not be renewed; the token works until it expires' ]
}

@test "the log says what ends the access that could not be released" {
  use
  stub curl 'cat >/dev/null; printf 503'
  printf 'staging immediate 1800022830 900\n' >"$USE/staging-config.grant"
  run inside keydesk_release "$USE"
  [ "$output" = "staging-config: could not be released (503); Keydesk will revoke it when it learns of the job's end" ]
  printf 'staging expiry 1800022830 900\n' >"$USE/staging-config.grant"
  run inside keydesk_release "$USE"
  [ "$output" = 'staging-config: could not be released (503); the token works until it expires' ]
}
