#!/usr/bin/env bats

load setup

make() {
  keydesk_make_folder
  printf '%s\n' "$REPLY"
}

@test "only the agent's user can read the folder, and a later use finds it" {
  run inside make
  [[ "$output" =~ ^"$BATS_TEST_TMPDIR"/keydesk-[A-Za-z0-9]{10}$ ]]
  [ -z "$(find "$output" -type d ! -perm 700)" ]
  [ "$(find "$output" -perm 600 -type f | sort)" = "$output/made-by-keydesk"$'\n'"$output/process" ]
  [ -z "$(find "$output" -type f ! -perm 600)" ]
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

@test "a folder is removed with its content, and links in it are not followed" {
  local folder
  folder="$(inside make)"
  mkdir -p "$folder/1/deep" "$BATS_TEST_TMPDIR/precious"
  ln -s "$BATS_TEST_TMPDIR/precious" "$folder/1/link"
  inside keydesk_remove_folder "$folder"
  [ ! -e "$folder" ]
  [ -d "$BATS_TEST_TMPDIR/precious" ]
}

@test "each use of the plugin has a folder of its own in its private part" {
  local folder
  folder="$(inside make)"
  inside keydesk_make_use_folder "$folder"
  inside keydesk_make_use_folder "$folder"
  [ -d "$folder/private/1" ]
  [ -d "$folder/private/2" ]
  [ -z "$(ls "$folder/mounted")" ]
}

@test "the plugin writes to no part that is gone or has become a link" {
  local folder part
  mkdir "$BATS_TEST_TMPDIR/precious"
  for part in private host mounted clients; do
    folder="$(inside make)"
    rm -r "${folder:?}/$part"
    run inside keydesk_make_use_folder "$folder"
    [ "$status" -eq 1 ]
    ln -s "$BATS_TEST_TMPDIR/precious" "$folder/$part"
    run inside keydesk_make_use_folder "$folder"
    [ "$status" -eq 1 ]
    [[ "$output" == *"Keydesk: $folder/$part was changed or removed."* ]]
  done
  [ -z "$(ls "$BATS_TEST_TMPDIR/precious")" ]
}

@test "a link is not read" {
  echo secret >"$BATS_TEST_TMPDIR/file"
  ln -s file "$BATS_TEST_TMPDIR/link"
  [ "$(inside keydesk_read "$BATS_TEST_TMPDIR/file")" = secret ]
  run inside keydesk_read "$BATS_TEST_TMPDIR/link"
  [ "$status" -eq 1 ]
  [ -z "$output" ]
}

find_all() {
  keydesk_find_folders
  printf '%s\n' ${KEYDESK_FOLDERS[@]+"${KEYDESK_FOLDERS[@]}"}
}

@test "the job finds the folder of a killed hook, once, and no folder of another job" {
  local lost known
  lost="$(inside make)"
  known="$(inside make)"
  BUILDKITE_JOB_ID=of-another inside make
  ln -s "$known" "$BATS_TEST_TMPDIR/keydesk-AAAAAAAAAA"
  [ "$(inside find_all)" = "$(printf '%s\n' "$lost" "$known" | sort)" ]
  [ "$(KEYDESK_DIR="$known" inside find_all)" = "$known"$'\n'"$lost" ]
  [ "$(TMPDIR="$TMPDIR/" inside find_all | wc -l | tr -d ' ')" -eq 2 ]
  [ -z "$(BUILDKITE_JOB_ID='' inside find_all)" ]
}

# The folder of another job, made by a process that has ended; with an argument, by that process.
left_behind() {
  local process="${1-}"
  [ -n "$process" ] || process="$(sh -c 'echo $$')"
  BUILDKITE_JOB_ID=of-an-ended-one inside make >"$BATS_TEST_TMPDIR/left"
  LEFT="$(cat "$BATS_TEST_TMPDIR/left")"
  printf '%s %s' "$process" "$(inside keydesk_where)" >"$LEFT/process"
}

@test "the folder of a killed job is removed, and a link in it is not followed" {
  left_behind
  mkdir "$BATS_TEST_TMPDIR/precious" && echo precious >"$BATS_TEST_TMPDIR/precious/file"
  ln -s "$BATS_TEST_TMPDIR/precious" "$LEFT/mounted/link"
  rm -r "$LEFT/clients" && ln -s "$BATS_TEST_TMPDIR/precious" "$LEFT/clients"
  inside keydesk_remove_stale_folders
  [ ! -e "$LEFT" ]
  [ "$(cat "$BATS_TEST_TMPDIR/precious/file")" = precious ]
}

@test "a folder that may belong to a running job stays" {
  local own
  left_behind $$
  inside keydesk_remove_stale_folders
  [ -d "$LEFT/private" ]
  # Of another machine, of another container, of an older version of the plugin, and of this very job.
  local where
  for where in 'elsewhere pid:[1]' "$(uname -n) pid:[1]" "$(uname -n)"; do
    left_behind
    printf '%s %s' "$(cut -d ' ' -f 1 "$LEFT/process")" "$where" >"$LEFT/process"
    [ "$where" != "$(inside keydesk_where)" ] || continue
    inside keydesk_remove_stale_folders
    [ -d "$LEFT/private" ]
  done
  left_behind
  rm "$LEFT/process"
  inside keydesk_remove_stale_folders
  [ -d "$LEFT/private" ]
  left_behind
  own="$LEFT"
  printf '%s' "$BUILDKITE_JOB_ID" >"$own/made-by-keydesk"
  inside keydesk_remove_stale_folders
  [ -d "$own/private" ]
}

@test "a folder that only looks like the plugin's stays" {
  left_behind
  mv "$LEFT" "$BATS_TEST_TMPDIR/elsewhere"
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$LEFT"
  mkdir "$BATS_TEST_TMPDIR/keydesk-AAAAAAAAAA"
  left_behind
  rm "$LEFT/made-by-keydesk"
  inside keydesk_remove_stale_folders
  [ -d "$BATS_TEST_TMPDIR/elsewhere/private" ]
  [ -d "$BATS_TEST_TMPDIR/keydesk-AAAAAAAAAA" ]
  [ -d "$LEFT/private" ]
}
