# Checks before the first request that the agent's machine has what the plugin needs, and reports all that it lacks at
# once, with the version that was found and the version that is needed.

# `--header @-`, which keeps a secret out of curl's arguments. Source: curl's documentation of --header.
KEYDESK_NEEDS_CURL=7.55
# `--aws-sigv4` that signs the header with the session token. Source: curl's documentation of --aws-sigv4, and its changelog.
KEYDESK_NEEDS_CURL_FOR_AWS=7.87
# `redactor add`. Source: https://buildkite.com/docs/agent/cli/reference/redactor.
KEYDESK_NEEDS_AGENT=3.66

keydesk_check_requirements() {
  KEYDESK_PROBLEMS=()
  case "$(uname -s)" in
    MINGW* | MSYS* | CYGWIN* | Windows*)
      keydesk_error 'Keydesk: agents on Windows are not supported.' \
        '  What to do: run this step on an agent on Linux or macOS.'
      return 1
      ;;
  esac
  if [[ "$KEYDESK_AGENT_FROM" == aws ]]; then
    keydesk_check_version curl "$KEYDESK_NEEDS_CURL_FOR_AWS" --disable --version
  else
    keydesk_check_version curl "$KEYDESK_NEEDS_CURL" --disable --version
  fi
  keydesk_check_version buildkite-agent "$KEYDESK_NEEDS_AGENT" --version
  if [[ ${#KEYDESK_PROBLEMS[@]} -eq 0 ]]; then
    return 0
  fi
  keydesk_error 'Keydesk: the agent lacks what the plugin needs:'
  keydesk_log "${KEYDESK_PROBLEMS[@]/#/  }" '  What to do: install these where the agent runs, on its PATH.'
  return 1
}

# keydesk_check_version COMMAND NEEDED ARGUMENT...: a version that cannot be read passes.
keydesk_check_version() {
  local command="$1" needed="$2" found
  local version='^(curl|buildkite-agent version) v?([0-9]{1,3})\.([0-9]{1,4})'
  shift 2
  if ! command -v "$command" >/dev/null 2>&1; then
    keydesk_problem "$command: not found, needed $needed or newer"
    return
  fi
  found="$(command "$command" "$@" 2>/dev/null </dev/null | head -n 1)"
  if [[ "$found" =~ $version ]] && keydesk_is_older "${BASH_REMATCH[2]}" "${BASH_REMATCH[3]}" "$needed"; then
    keydesk_problem "$command: found ${BASH_REMATCH[2]}.${BASH_REMATCH[3]}, needed $needed or newer"
  fi
}

# keydesk_is_older MAJOR MINOR NEEDED
keydesk_is_older() {
  ((10#$1 < ${3%%.*} || (10#$1 == ${3%%.*} && 10#$2 < ${3#*.})))
}
