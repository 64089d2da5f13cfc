# What the hooks call, in the agent's own shell, whose options and variables stay as they were, except for what is
# exported. The work is done in subshells; the one that hands over says on its standard output what to export.

# keydesk_at HOOK: hands the step its credentials, if it wants them at this hook.
keydesk_at() {
  local exports status tracing=''
  if [[ "$-" == *x* ]]; then
    tracing=yes
  fi
  { set +x; } 2>/dev/null
  # A cancel reaches the whole process group. What the subshell then has to give back it gets the time for, and what it
  # has just handed over is known to `pre-exit`.
  trap : TERM
  exports="$(keydesk_load && keydesk_hand_over "$1")"
  status=$?
  trap - TERM
  if [[ $status -eq 0 ]]; then
    keydesk_export "$exports"
  fi
  if [[ -n "$tracing" ]]; then
    set -x
  fi
  return "$status"
}

# keydesk_at_exit: gives everything back that the step holds, and removes what is left of it.
keydesk_at_exit() {
  (
    { set +x; } 2>/dev/null
    # It ends by itself, in time.
    trap '' TERM INT HUP
    keydesk_load || exit
    if keydesk_is_own_folder "${KEYDESK_DIR-}"; then
      keydesk_say '~~~ :key: Keydesk: giving credentials back'
      keydesk_give_back "$KEYDESK_DIR"
      keydesk_remove_folder "$KEYDESK_DIR"
    fi
  )
}

# The rest of the plugin, steadied against what the environment may have changed about shells. For subshells only.
keydesk_load() {
  local lib="${BASH_SOURCE[0]%/*}"
  set +aefvC -uo pipefail
  shopt -u nocasematch failglob
  umask 077
  IFS=$' \t\n'
  export LC_ALL=C
  # shellcheck source=say.bash
  . "$lib/say.bash"
  # shellcheck source=configuration.bash
  . "$lib/configuration.bash"
  # shellcheck source=private-folder.bash
  . "$lib/private-folder.bash"
  # shellcheck source=job-token.bash
  . "$lib/job-token.bash"
  # shellcheck source=answer.bash
  . "$lib/answer.bash"
  # shellcheck source=desk.bash
  . "$lib/desk.bash"
  # shellcheck source=credential-file.bash
  . "$lib/credential-file.bash"
  # shellcheck source=give-back.bash
  . "$lib/give-back.bash"
  # shellcheck source=hand-over.bash
  . "$lib/hand-over.bash"
}

# keydesk_export LINES: for the agent's own shell. Nothing in them is evaluated.
keydesk_export() {
  local line IFS=$'\n'
  for line in $1; do
    if [[ "$line" =~ ^[A-Za-z0-9_]+= ]]; then
      export "${line?}"
    else
      export "${line%%<*}=$(cat "${line#*<}")"
    fi
  done
}
