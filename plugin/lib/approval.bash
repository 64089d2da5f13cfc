# Waits until somebody has approved the build: Keydesk says which step is to be unblocked, and when to send the request again.

# Until when the use of the plugin waits, and for which step; nothing before it waits.
KEYDESK_APPROVAL_DEADLINE=''
KEYDESK_APPROVAL_STEP=''

# keydesk_is_pending FILE: whether Keydesk says that an approval is missing which somebody can still give.
keydesk_is_pending() {
  [[ "$KEYDESK_STATUS" == 400 && "$(keydesk_member error "$1")" == authorization_pending ]]
}

# keydesk_wait_for_approval NAME FOLDER: waits as long as Retry-After says. Fails with a message when that would be too long. All
# credentials of a use share the limit. A cancel of the job ends the wait.
keydesk_wait_for_approval() {
  local name="$1" folder="$2" step pause
  step="$(keydesk_member step "$folder/answer")"
  pause="$(keydesk_header retry-after "$folder/headers")"
  if [[ ! "$pause" =~ ^[1-9][0-9]{0,3}$ ]]; then
    pause=10
  fi
  if [[ -z "$KEYDESK_APPROVAL_DEADLINE" ]]; then
    KEYDESK_APPROVAL_DEADLINE=$((SECONDS + KEYDESK_APPROVAL_TIMEOUT))
  fi
  if ((SECONDS + pause > KEYDESK_APPROVAL_DEADLINE)); then
    keydesk_error "Keydesk: $KEYDESK_URL did not issue $name: the step $step of this build was not unblocked in time." \
      "  Waited for: $(keydesk_duration "$KEYDESK_APPROVAL_TIMEOUT"), which is approval-timeout" \
      '  What to do: unblock the step, and retry the job. A larger approval-timeout lets the job wait longer.'
    return 1
  fi
  if [[ "$step" != "$KEYDESK_APPROVAL_STEP" ]]; then
    KEYDESK_APPROVAL_STEP="$step"
    keydesk_log "$name: waiting until the step $step of this build is unblocked, for $(
      keydesk_duration "$((KEYDESK_APPROVAL_DEADLINE - SECONDS))"
    ) at most"
  fi
  sleep "$pause"
}
