#!/usr/bin/env bats

load setup

make() {
  keydesk_make_folder
  printf '%s\n' "$REPLY"
}

@test "the folder is for the agent's user alone, and known again" {
  run inside make
  [[ "$output" =~ ^"$BATS_TEST_TMPDIR"/keydesk-[A-Za-z0-9]{10}$ ]]
  [ "$(find "$output" -perm 700 -type d)" = "$output" ]
  [ "$(find "$output" -perm 600 -type f)" = "$output/made-by-keydesk" ]
  inside keydesk_is_own_folder "$output"
  KEYDESK_DIR="$output" run inside make
  [ "$output" = "${lines[0]}" ]
}

@test "a folder of another job is not taken" {
  local first
  first="$(inside make)"
  export BUILDKITE_JOB_ID=of-another
  run inside keydesk_is_own_folder "$first"
  [ "$status" -eq 1 ]
  KEYDESK_DIR="$first" run inside make
  [ "$output" != "$first" ]
  inside keydesk_remove_folder "$first"
  [ -d "$first" ]
}

@test "a folder is removed with all that is in it, and links in it are not followed" {
  local folder
  folder="$(inside make)"
  mkdir -p "$folder/1/deep" "$BATS_TEST_TMPDIR/precious"
  ln -s "$BATS_TEST_TMPDIR/precious" "$folder/1/link"
  inside keydesk_remove_folder "$folder"
  [ ! -e "$folder" ]
  [ -d "$BATS_TEST_TMPDIR/precious" ]
}

@test "each use of the plugin has a folder of its own in it" {
  local folder
  folder="$(inside make)"
  inside keydesk_make_use_folder "$folder"
  inside keydesk_make_use_folder "$folder"
  [ -d "$folder/1" ]
  [ -d "$folder/2" ]
}
