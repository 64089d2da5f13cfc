# What the hooks call. It runs in the agent's own shell and keeps that shell's options and variables, except for those that
# it exports or unsets. Subshells do the work; one prints what to export. Code in the agent's own shell uses only variables
# that begin with KEYDESK_, since the step may want any other.

# keydesk_at HOOK: gives the step its credentials, if it wants them at this hook.
keydesk_at() {
  local KEYDESK_EXPORTS KEYDESK_EXIT KEYDESK_TRACING=''
  if [[ "$-" == *x* ]]; then
    KEYDESK_TRACING=yes
  fi
  { set +x; } 2>/dev/null
  # A cancel reaches the whole process group. This shell waits for the subshell, which releases what it received.
  trap : TERM INT HUP
  KEYDESK_EXPORTS="$(keydesk_load && keydesk_provide "$1")"
  KEYDESK_EXIT=$?
  if [[ $KEYDESK_EXIT -eq 0 && -n "$KEYDESK_EXPORTS" ]]; then
    # Without the exports, `pre-exit` would not find the folder: this shell ignores a cancel until they are made.
    trap '' TERM INT HUP
    keydesk_export "$KEYDESK_EXPORTS"
    trap : TERM INT HUP
  else
    trap - TERM INT HUP
  fi
  if [[ -n "$KEYDESK_TRACING" ]]; then
    set -x
  fi
  return "$KEYDESK_EXIT"
}

# keydesk_at_post_command: makes each variable that names the mounted folder name the copy for the host, which no container
# ever saw. From here on no variable of the job names a file that a container can write. Reads nothing from the mounted
# folder. Changes no other variable.
keydesk_at_post_command() {
  local KEYDESK_NAME KEYDESK_MOUNTED KEYDESK_HOST KEYDESK_TRACING='' IFS=$' \t\n'
  if [[ ! "${KEYDESK_DIR-}" =~ ^(/[A-Za-z0-9._+@-]+)*/keydesk-[A-Za-z0-9]{10}$ ]]; then
    return 0
  fi
  if [[ "$-" == *x* ]]; then
    KEYDESK_TRACING=yes
  fi
  { set +x; } 2>/dev/null
  KEYDESK_MOUNTED="$KEYDESK_DIR/mounted"
  KEYDESK_HOST="$KEYDESK_DIR/host"
  if [[ "${BUILDKITE_OIDC_TMPDIR-}" == "$KEYDESK_MOUNTED" ]]; then
    unset -v BUILDKITE_OIDC_TMPDIR
  fi
  for KEYDESK_NAME in $(compgen -e); do
    if [[ "$KEYDESK_NAME" != KEYDESK_MOUNTED && "${!KEYDESK_NAME-}" == *"$KEYDESK_MOUNTED"* ]]; then
      export "$KEYDESK_NAME=${!KEYDESK_NAME//$KEYDESK_MOUNTED/$KEYDESK_HOST}"
    fi
  done
  if [[ -f "$KEYDESK_DIR/private/executables" ]]; then
    export GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES=1
  fi
  if [[ -n "$KEYDESK_TRACING" ]]; then
    set -x
  fi
  return 0
}

# keydesk_at_exit: releases all credentials of the step, and removes their files.
keydesk_at_exit() {
  (
    { set +x; } 2>/dev/null
    # It ends in time by itself.
    trap '' TERM INT HUP
    keydesk_load || exit
    keydesk_end_step
  )
}

# Loads the rest of the plugin, and sets the options of the shell that the environment may have changed. For subshells only.
keydesk_load() {
  local lib="${BASH_SOURCE[0]%/*}"
  set +aefvC -uo pipefail
  shopt -u nocasematch failglob
  # A variable that the job exports would hand what it holds to every process.
  unset -v GLOBIGNORE REPLY
  umask 077
  IFS=$' \t\n'
  export LC_ALL=C
  # shellcheck source=log.bash
  . "$lib/log.bash"
  # shellcheck source=configuration.bash
  . "$lib/configuration.bash"
  # shellcheck source=requirements.bash
  . "$lib/requirements.bash"
  # shellcheck source=private-folder.bash
  . "$lib/private-folder.bash"
  # shellcheck source=job-token.bash
  . "$lib/job-token.bash"
  # shellcheck source=agent-token.bash
  . "$lib/agent-token.bash"
  # shellcheck source=approval.bash
  . "$lib/approval.bash"
  # shellcheck source=response.bash
  . "$lib/response.bash"
  # shellcheck source=claims.bash
  . "$lib/claims.bash"
  # shellcheck source=refusal.bash
  . "$lib/refusal.bash"
  # shellcheck source=grant.bash
  . "$lib/grant.bash"
  # shellcheck source=api.bash
  . "$lib/api.bash"
  # shellcheck source=credential-file.bash
  . "$lib/credential-file.bash"
  # shellcheck source=client-folders.bash
  . "$lib/client-folders.bash"
  # shellcheck source=release.bash
  . "$lib/release.bash"
  # shellcheck source=export.bash
  . "$lib/export.bash"
}

# keydesk_export LINES: for the agent's own shell. Evaluates nothing in them.
keydesk_export() {
  local KEYDESK_LINE IFS=$'\n'
  for KEYDESK_LINE in $1; do
    if [[ "$KEYDESK_LINE" =~ ^[A-Za-z0-9_]+= ]]; then
      export "${KEYDESK_LINE?}"
    elif [[ "$KEYDESK_LINE" != *'<'* ]]; then
      unset -v "$KEYDESK_LINE"
    else
      export "${KEYDESK_LINE%%<*}=$(cat "${KEYDESK_LINE#*<}")"
    fi
  done
}
