# Hands a step all its credentials or none: asks for each, writes what Google's client libraries read, and says what the
# agent's shell is to export. What it had before something failed goes back at once.

# keydesk_provide HOOK: prints on its standard output what to export, `VARIABLE=VALUE` or `VARIABLE<FILE WITH THE
# VALUE` a line, and `VARIABLE` for what is to be unset. None of it holds white space.
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
    keydesk_error 'Keydesk: there is no place for its files: TMPDIR and /tmp are both unfit.'
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
  # From here on it is the step's. Were this to end now, the agent would not learn of what there is to give back.
  trap '' TERM INT HUP
  printf '%s\n' "KEYDESK_DIR=$KEYDESK_STEP_FOLDER"
  # Which the docker plugins mount with `propagate-gcp-auth-tokens`. Another plugin's is left alone. An executable is of
  # no use in a container: there is no agent in it.
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

# Every credential is had, or the step gets none: half of what it needs would only fail it later.
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
    keydesk_lay_out_files || return 1
    keydesk_make_client_folders || return 1
  fi
}

# Lays out for client libraries what they read: for the host where no container writes, and with `job-token: file` a
# copy of its own for containers. It is written where nobody else writes, then moved, under a name that nobody can have
# made a link of: a container of an earlier hook may be at work in the mounted folder already.
keydesk_lay_out_files() {
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

# Says whether Google's libraries may run what a credential file names: only while no variable of the step names a file
# that a container can write. A step that has files of both kinds gets it back when its command has ended.
keydesk_allow_executables() {
  local allowed="$KEYDESK_STEP_FOLDER/private/executables" mounted="$KEYDESK_STEP_FOLDER/private/mounted"
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    printf 1 >"$mounted"
    # One that the job had before is not the plugin's to take away.
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

# keydesk_find_token NAME: sets REPLY to the file with the token that the step already has of this desk.
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

# What this use of the plugin was handed out goes back; what an earlier one was stays for `pre-exit`.
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
