# The folder with all files that the plugin writes for a step. Only the agent's user can read it. The first use of the plugin
# in a step makes it; later uses and `pre-exit` find it as KEYDESK_DIR. The plugin neither writes to nor removes a
# KEYDESK_DIR that it did not make for this job.
#
#   made-by-keydesk   the job's id
#   process           the process of the agent that runs the job, and its machine
#   private/1, 2...   for each use of the plugin: Keydesk's URL, access tokens and their grants, responses
#   host/...          for each use: what Google's client libraries on the host read
#   mounted/...       for each use with `job-token: file`: a copy of that for containers, and nothing else
#   clients/...       the files of gcloud and gsutil
#
# The docker plugins mount `mounted`, and containers can write to it. The plugin never reads it or writes to what is there,
# and only removes it. No other part is ever mounted.

# No white space and no quotes: Python's library splits the command in a credential file at white space. No colon:
# docker splits `--volume` at it.
KEYDESK_CLEAN_PATH='^(/[A-Za-z0-9._+@-]+)+$'
KEYDESK_OWN_PATH='/keydesk-[A-Za-z0-9]{10}$'

# Sets REPLY to the step's folder; fails when none can be made.
keydesk_make_folder() {
  local base
  if keydesk_is_own_folder "${KEYDESK_DIR-}"; then
    REPLY="$KEYDESK_DIR"
    return 0
  fi
  for base in "${TMPDIR-}" /tmp; do
    base="${base%/}"
    if [[ "$base" =~ $KEYDESK_CLEAN_PATH && -d "$base" ]] &&
      REPLY="$(mktemp -d "$base/keydesk-XXXXXXXXXX" 2>/dev/null)" &&
      printf '%s' "$PPID $(keydesk_where)" >"$REPLY/process" &&
      printf '%s' "${BUILDKITE_JOB_ID-}" >"$REPLY/made-by-keydesk" &&
      mkdir "$REPLY/private" "$REPLY/host" "$REPLY/mounted" "$REPLY/clients"; then
      return 0
    fi
  done
  return 1
}

# Whether a file or folder is this user's, and no link to one.
keydesk_is_own() {
  [[ -O "$1" && ! -L "$1" ]]
}

# Whether the plugin made a folder, for this job, as this user.
keydesk_is_own_folder() {
  keydesk_is_folder "$1" && [[ "$(cat "$1/made-by-keydesk")" == "${BUILDKITE_JOB_ID-}" ]]
}

# Whether the plugin made a folder, for whatever job, as this user.
keydesk_is_folder() {
  local mark="$1/made-by-keydesk"
  [[ "$1" =~ $KEYDESK_CLEAN_PATH && "$1" =~ $KEYDESK_OWN_PATH ]] || return 1
  [[ -d "$1" && -f "$mark" ]] && keydesk_is_own "$1" && keydesk_is_own "$mark"
}

# Prints where a process ID is valid: the machine and, on Linux, its namespace of processes.
keydesk_where() {
  printf '%s %s' "$(uname -n)" "$(readlink /proc/self/ns/pid 2>/dev/null)"
}

# Removes folders of jobs whose agent was killed: of this user, of other jobs, whose process has ended. Keeps a folder whose
# process may be alive, such as one of another container. Looks at a hundred at most.
keydesk_remove_stale_folders() {
  local base="${TMPDIR:-/tmp}" folder process where looked=0
  where="$(keydesk_where)"
  for folder in "${base%/}"/keydesk-?????????? /tmp/keydesk-??????????; do
    looked=$((looked + 1))
    if ((looked > 100)); then
      return
    fi
    if ! keydesk_is_folder "$folder" || keydesk_is_own_folder "$folder" || ! process="$(keydesk_read "$folder/process")"; then
      continue
    fi
    if [[ "$process" == "${process%% *} $where" && "${process%% *}" =~ ^[1-9][0-9]{0,9}$ ]] &&
      ! kill -0 "${process%% *}" 2>/dev/null; then
      keydesk_remove_tree "$folder"
    fi
  done
}

# Sets KEYDESK_FOLDERS[] to every folder that the plugin made for this job: KEYDESK_DIR, and any of a hook that was killed
# before it could export that variable.
keydesk_find_folders() {
  local base="${TMPDIR:-/tmp}" folder other
  KEYDESK_FOLDERS=()
  for folder in "${KEYDESK_DIR-}" "${base%/}"/keydesk-?????????? /tmp/keydesk-??????????; do
    [[ -n "${BUILDKITE_JOB_ID-}" || "$folder" == "${KEYDESK_DIR-}" ]] || continue
    keydesk_is_own_folder "$folder" || continue
    for other in ${KEYDESK_FOLDERS[@]+"${KEYDESK_FOLDERS[@]}"}; do
      [[ ! "$folder" -ef "$other" ]] || continue 2
    done
    KEYDESK_FOLDERS+=("$folder")
  done
}

# Removes the step's folder with all that is in it.
keydesk_remove_folder() {
  keydesk_is_own_folder "$1" || return 0
  keydesk_remove_tree "$1"
}

# Follows no link. Removes secrets first, since what a container left in `mounted` may take too long. Removes the mark
# afterwards, since the plugin finds the folder by it.
keydesk_remove_tree() {
  rm -rf -- "$1/private" "$1/host" "$1/clients" 2>/dev/null
  rm -rf -- "$1/mounted" 2>/dev/null
  if ! rm -rf -- "$1" 2>/dev/null; then
    keydesk_log "Could not remove everything in $1. Remove it by hand: access tokens can be in it."
  fi
}

# Sets REPLY to a new folder for one use of the plugin, in the private part of the step's.
keydesk_make_use_folder() {
  local part number=1
  for part in "$1/private" "$1/host" "$1/mounted" "$1/clients"; do
    if [[ ! -d "$part" ]] || ! keydesk_is_own "$part"; then
      keydesk_error "Keydesk: $part was changed or removed." \
        '  What to do: see what changes KEYDESK_DIR, or files in it, between two uses of the plugin.'
      return 1
    fi
  done
  while [[ -e "$1/private/$number" || -L "$1/private/$number" ]]; do
    number=$((number + 1))
  done
  REPLY="$1/private/$number"
  mkdir "$REPLY"
}

# keydesk_read FILE: prints what the plugin wrote into a file of its own; fails on a link, and on what another user made.
keydesk_read() {
  [[ -f "$1" ]] && keydesk_is_own "$1" && cat -- "$1"
}
