# The one folder in which all that the plugin writes for a step lies: readable for the agent's user alone, made by the
# first use of the plugin in a step, known to the later ones and to `pre-exit` as KEYDESK_DIR. A KEYDESK_DIR that the
# plugin did not make for this very job is nobody's business here: it is neither written to nor removed.
#
#   made-by-keydesk   the job's id
#   process           the process of the agent that runs the job, and where that process is
#   private/1, 2...   for each use of the plugin: Keydesk's URL, access tokens and their grants, responses
#   host/...          for each use: what Google's client libraries on the host read
#   mounted/...       for each use with `job-token: file`: a copy of that for containers, and nothing else
#   clients/...       what gcloud and gsutil keep
#
# The docker plugins mount `mounted`, for writing too. What is in there is whatever a container made of it: nothing in it
# is read again or written to, it is only removed. No other part is ever mounted.

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

# Where a process id means something: the machine and, on Linux, the namespace of its processes.
keydesk_where() {
  printf '%s %s' "$(uname -n)" "$(readlink /proc/self/ns/pid 2>/dev/null)"
}

# Removes what jobs left behind whose agent was killed: folders of this user, of other jobs, whose process is gone. One
# whose process may be alive stays, such as that of another container. Looks at a hundred at most.
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

# Sets KEYDESK_FOLDERS[] to every folder that the plugin made for this job: the one the agent knows of, and any that a
# hook made which was killed before the agent could learn of it.
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

# Follows no link. Secrets go first, since what a container left in `mounted` may take longer than there is time. The mark
# goes after that, since by it the rest is found again.
keydesk_remove_tree() {
  rm -rf -- "$1/private" "$1/host" "$1/clients" 2>/dev/null
  rm -rf -- "$1/mounted" 2>/dev/null
  if ! rm -rf -- "$1" 2>/dev/null; then
    keydesk_log "Not everything in $1 could be removed: see who owns what is left there."
  fi
}

# Sets REPLY to a new folder for one use of the plugin, in the private part of the step's.
keydesk_make_use_folder() {
  local part number=1
  for part in "$1/private" "$1/host" "$1/mounted" "$1/clients"; do
    if [[ ! -d "$part" ]] || ! keydesk_is_own "$part"; then
      keydesk_error "Keydesk: $part is not as the plugin made it." \
        '  What to do: see what between two uses of the plugin changes KEYDESK_DIR or what is in it.'
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
