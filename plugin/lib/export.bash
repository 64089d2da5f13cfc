# Gives a step all its credentials or none: requests each, writes the files for Google's client libraries, and prints what
# the agent's shell is to export. When one fails, it releases the others at once.

# keydesk_provide HOOK: prints on its standard output what to export, `VARIABLE=VALUE` or `VARIABLE<FILE WITH THE
# VALUE` a line, and `VARIABLE` for one to unset. None of it has white space.
keydesk_provide() {
  local number
  if ! keydesk_read_configuration; then
    keydesk_log '~~~ :key: Keydesk'
    keydesk_error 'Keydesk: invalid plugin configuration:'
    keydesk_log "${KEYDESK_PROBLEMS[@]/#/  }"
    return 1
  fi
  if [[ "$KEYDESK_HOOK" != "$1" ]]; then
    return 0
  fi
  keydesk_log "~~~ :key: Keydesk: requesting credentials from $KEYDESK_URL"
  keydesk_check_requirements || return 1
  keydesk_remove_stale_folders
  if ! keydesk_make_folder; then
    keydesk_error 'Keydesk: could not make a folder in TMPDIR or in /tmp.' \
      "  What to do: let the agent's user write to one of them."
    return 1
  fi
  KEYDESK_STEP_FOLDER="$REPLY"
  KEYDESK_USE_FOLDER="$KEYDESK_STEP_FOLDER/private/none"
  KEYDESK_FILES_NAME=none
  trap 'keydesk_undo; exit 143' TERM INT HUP
  if ! keydesk_request_all; then
    keydesk_undo
    return 1
  fi
  # From here on the step has its credentials. If this ended now, `pre-exit` would not know what to release.
  trap '' TERM INT HUP
  printf '%s\n' "KEYDESK_DIR=$KEYDESK_STEP_FOLDER"
  # The docker plugins mount this folder with `propagate-gcp-auth-tokens`. The variable of another plugin stays. An
  # executable does not work in a container, which has no agent.
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file && -z "${BUILDKITE_OIDC_TMPDIR-}" ]]; then
    printf '%s\n' "BUILDKITE_OIDC_TMPDIR=$KEYDESK_STEP_FOLDER/mounted"
  fi
  if keydesk_wants_files; then
    keydesk_allow_executables
    keydesk_provide_client_folders
  fi
  for ((number = 0; number < ${#KEYDESK_NAMES[@]}; number++)); do
    keydesk_provide_one "${KEYDESK_NAMES[number]}" "${KEYDESK_FILES[number]}" "${KEYDESK_TOKENS[number]}"
  done
}

# Requests every credential. One failure fails the step now, and not in the middle of its command.
keydesk_request_all() {
  local name
  keydesk_make_use_folder "$KEYDESK_STEP_FOLDER" || return 1
  KEYDESK_USE_FOLDER="$REPLY"
  printf '%s' "$KEYDESK_URL" >"$KEYDESK_USE_FOLDER/url" || return 1
  keydesk_start_deadline
  for name in "${KEYDESK_NAMES[@]}"; do
    keydesk_find_token "$name" || keydesk_request "$name" "$KEYDESK_USE_FOLDER" || return 1
  done
  if keydesk_wants_files; then
    keydesk_write_files || return 1
    keydesk_make_client_folders || return 1
  fi
}

# Writes the files for client libraries: for the host where no container writes, and with `job-token: file` a copy for
# containers. Writes them in the private folder, then moves them under a new random name, which cannot be a link already:
# a container of an earlier hook may be writing to the mounted folder.
keydesk_write_files() {
  local folder part
  folder="$(mktemp -d "$KEYDESK_USE_FOLDER/XXXXXXXXXX")" && rmdir "$folder" || return 1
  KEYDESK_FILES_NAME="${folder##*/}"
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    keydesk_fresh_job_token && keydesk_redact 'the job token' "$KEYDESK_JOB_TOKEN" || return 1
  fi
  for part in host mounted; do
    if [[ "$part" == mounted && "$KEYDESK_JOB_TOKEN_AS" != file ]]; then
      continue
    fi
    mkdir "$folder" &&
      keydesk_write_credential_files "$folder" "$KEYDESK_STEP_FOLDER/$part/$KEYDESK_FILES_NAME" &&
      mv -- "$folder" "$KEYDESK_STEP_FOLDER/$part/" || return 1
  done
}

# Prints whether Google's libraries may run the command in a credential file: only while no variable of the step names a
# file that a container can write. In a step with files of both kinds they may again when the command has ended.
keydesk_allow_executables() {
  local allowed="$KEYDESK_STEP_FOLDER/private/executables" mounted="$KEYDESK_STEP_FOLDER/private/mounted"
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    printf 1 >"$mounted"
    # A value that the job had before stays.
    if [[ -f "$allowed" ]]; then
      printf '%s\n' GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES
    fi
  elif [[ -f "$allowed" || "${GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES-}" != 1 ]]; then
    printf 1 >"$allowed"
    if [[ ! -f "$mounted" ]]; then
      printf '%s\n' GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1
    fi
  fi
}

keydesk_wants_files() {
  local variable
  for variable in "${KEYDESK_FILES[@]}"; do
    if [[ -n "$variable" ]]; then
      return 0
    fi
  done
  return 1
}

# keydesk_find_token NAME: sets REPLY to the file with the token that the step already has from this Keydesk.
keydesk_find_token() {
  local use
  for use in "$KEYDESK_STEP_FOLDER"/private/*; do
    REPLY="$use/$1.access-token"
    if keydesk_is_own "$use" && [[ -f "$REPLY" ]] && keydesk_is_own "$REPLY" &&
      [[ "$(keydesk_read "$use/url")" == "$KEYDESK_URL" ]]; then
      return 0
    fi
  done
  return 1
}

# keydesk_provide_one NAME FILE-VARIABLE TOKEN-VARIABLE
keydesk_provide_one() {
  local part=host
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    part=mounted
  fi
  if [[ -n "$2" ]]; then
    printf '%s\n' "$2=$KEYDESK_STEP_FOLDER/$part/$KEYDESK_FILES_NAME/$1.json"
  fi
  keydesk_find_token "$1"
  if [[ -n "$3" ]]; then
    printf '%s\n' "$3<$REPLY"
  fi
  keydesk_log "$1: in ${2:+$2 (file)}${2:+${3:+ and }}${3:+$3 (token)}$(
    keydesk_describe_grant "${REPLY%.access-token}.grant" "${2:+file} ${3:+token}"
  )"
}

# Releases what this use of the plugin received. What an earlier use received stays until `pre-exit`.
keydesk_undo() {
  trap '' TERM INT HUP
  keydesk_release "$KEYDESK_USE_FOLDER"
  if [[ "$KEYDESK_STEP_FOLDER" == "${KEYDESK_DIR-}" ]]; then
    rm -rf -- "$KEYDESK_USE_FOLDER" "$KEYDESK_STEP_FOLDER/host/$KEYDESK_FILES_NAME" \
      "$KEYDESK_STEP_FOLDER/mounted/$KEYDESK_FILES_NAME"
  else
    keydesk_remove_folder "$KEYDESK_STEP_FOLDER"
  fi
}
