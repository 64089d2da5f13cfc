# The one folder in which all that the plugin writes for a step lies: readable for the agent's user alone, made by the
# first use of the plugin in a step, known to the later ones and to `pre-exit` as KEYDESK_DIR. A KEYDESK_DIR that the
# plugin did not make for this very job is nobody's business here: it is neither written to nor removed.

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
      printf '%s' "${BUILDKITE_JOB_ID-}" >"$REPLY/made-by-keydesk"; then
      return 0
    fi
  done
  return 1
}

# Whether the plugin made a folder, for this job, as this user.
keydesk_is_own_folder() {
  local mark="$1/made-by-keydesk" part
  [[ "$1" =~ $KEYDESK_CLEAN_PATH && "$1" =~ $KEYDESK_OWN_PATH ]] || return 1
  [[ -d "$1" && -f "$mark" ]] || return 1
  for part in "$1" "$mark"; do
    [[ -O "$part" && ! -L "$part" ]] || return 1
  done
  [[ "$(cat "$mark")" == "${BUILDKITE_JOB_ID-}" ]]
}

# Removes the step's folder with all that is in it.
keydesk_remove_folder() {
  keydesk_is_own_folder "$1" || return 0
  rm -rf -- "$1" 2>/dev/null || keydesk_say "Not everything in $1 could be removed: see who owns what is left there."
}

# Sets REPLY to a new folder in the step's, for one use of the plugin.
keydesk_make_use_folder() {
  local number=1
  while [[ -e "$1/$number" ]]; do
    number=$((number + 1))
  done
  REPLY="$1/$number"
  mkdir "$REPLY"
}
