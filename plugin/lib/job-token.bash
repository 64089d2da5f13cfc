# The job token of a use of the plugin: requested when it is needed, kept in a variable, and requested again before it is
# too old for the next request to Keydesk.

# A variable from the environment would be exported to every process.
unset -v KEYDESK_JOB_TOKEN
KEYDESK_JOB_TOKEN=''
KEYDESK_JOB_TOKEN_SINCE=0

# Sets KEYDESK_JOB_TOKEN to one that is younger than a third of its life: a request takes a minute at most.
keydesk_fresh_job_token() {
  local arguments claim
  if [[ -n "$KEYDESK_JOB_TOKEN" ]] && ((SECONDS - KEYDESK_JOB_TOKEN_SINCE < KEYDESK_LIFETIME / 3)); then
    return 0
  fi
  arguments=("--audience=$KEYDESK_AUDIENCE")
  for claim in "${KEYDESK_CLAIMS[@]}"; do
    arguments+=("--claim=$claim")
  done
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    arguments+=("--lifetime=$KEYDESK_LIFETIME")
  fi
  KEYDESK_JOB_TOKEN_SINCE="$SECONDS"
  # The agent writes its own messages to the log.
  KEYDESK_JOB_TOKEN="$(command buildkite-agent oidc request-token "${arguments[@]}" </dev/null)"
  if [[ "$KEYDESK_JOB_TOKEN" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]; then
    return 0
  fi
  KEYDESK_JOB_TOKEN=''
  keydesk_error 'Keydesk: buildkite-agent oidc request-token returned no job token.' \
    "  What to do: read the agent's message above."
  return 1
}

# keydesk_redact WHAT SECRET: adds a secret to the redaction of the job's log.
keydesk_redact() {
  local complaint
  if complaint="$(printf '%s' "$2" | command buildkite-agent redactor add --format none 2>&1)"; then
    return 0
  fi
  keydesk_error "Keydesk: $1 could not be redacted from the job's log, so the step does not get it." \
    "  Message: $(printf '%s' "$complaint" | keydesk_printable)" \
    '  What to do: start the agent with its Job API, which means without --no-job-api.'
  return 1
}
