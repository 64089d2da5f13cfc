# The job token of a use of the plugin: asked for when it is needed, kept in a variable, and never older than a try at
# the desk can bear, however long the tries go on.

# One that came from the environment would go on to every process.
unset -v KEYDESK_JOB_TOKEN
KEYDESK_JOB_TOKEN=''
KEYDESK_JOB_TOKEN_SINCE=0

# Sets KEYDESK_JOB_TOKEN. A third of its life is what it may have behind it: a try takes a minute at most.
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
  # What the agent has to say goes to the log by itself.
  KEYDESK_JOB_TOKEN="$(command buildkite-agent oidc request-token "${arguments[@]}" </dev/null)"
  if [[ "$KEYDESK_JOB_TOKEN" =~ ^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$ ]]; then
    return 0
  fi
  KEYDESK_JOB_TOKEN=''
  keydesk_error 'Keydesk: buildkite-agent did not give this job a token.' \
    '  What to do: see what it says above. The claims asked for need agent 3.44 or newer.'
  return 1
}

# Keeps a secret out of the job's log from now on. keydesk_redact WHAT SECRET
keydesk_redact() {
  local complaint
  if complaint="$(printf '%s' "$2" | command buildkite-agent redactor add --format none 2>&1)"; then
    return 0
  fi
  keydesk_error "Keydesk: $1 could not be kept out of the job's log, so the step does not get it." \
    "  buildkite-agent redactor add says: $(printf '%s' "$complaint" | keydesk_printable)" \
    '  What to do: run agent 3.66 or newer, with its Job API (--no-job-api must not be set).'
  return 1
}
