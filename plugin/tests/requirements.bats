#!/usr/bin/env bats

load setup

# A machine with these versions. A command with an empty version is not installed.
machine() {
  stub uname "echo ${3:-Linux}"
  stub curl "echo 'curl $1 (x86_64-pc-linux-gnu) libcurl/$1 OpenSSL/3.0.19'"
  stub buildkite-agent "echo 'buildkite-agent version $2, build 7890'"
  [ -n "$1" ] || rm "$BATS_TEST_TMPDIR/bin/curl"
  [ -n "$2" ] || rm "$BATS_TEST_TMPDIR/bin/buildkite-agent"
}

@test "versions that suffice pass" {
  local versions
  for versions in '7.55.0 3.66.0' '7.88.1 3.107.2' '8.0.1 4.0.0-beta.1' '8.15.0-DEV 3.66'; do
    # shellcheck disable=SC2086 # two words
    machine $versions
    run inside keydesk_check_requirements
    [ "$status" -eq 0 ]
    [ -z "$output" ]
  done
}

@test "older ones are reported together, with what was found and what is needed" {
  machine 7.29.0 3.9.1
  run inside keydesk_check_requirements
  [ "$status" -eq 1 ]
  [[ "$output" == *'  curl: found 7.29, needed 7.55 or newer'* ]]
  [[ "$output" == *'  buildkite-agent: found 3.9, needed 3.66 or newer'* ]]
}

@test "a version that cannot be read passes" {
  machine unknown dev
  run inside keydesk_check_requirements
  [ "$status" -eq 0 ]
}

@test "a command that is missing is reported" {
  machine '' 3.107.0
  lacking() {
    PATH="$BATS_TEST_TMPDIR/bin"
    keydesk_check_requirements
  }
  stub head 'read -r line; echo "$line"'
  run inside lacking
  [ "$status" -eq 1 ]
  [[ "$output" == *'  curl: not found, needed 7.55 or newer'* ]]
  [[ "$output" != *'buildkite-agent: '* ]]
}

@test "Windows is refused, with any bash that it has" {
  local system
  for system in MINGW64_NT-10.0-20348 MSYS_NT-10.0 CYGWIN_NT-10.0; do
    machine 8.9.1 3.107.0 "$system"
    run inside keydesk_check_requirements
    [ "$status" -eq 1 ]
    [[ "$output" == *Windows* ]]
  done
}
