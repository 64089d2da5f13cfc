# What Keydesk says about a credential that it issued: for which environment, until when it is valid, and how its access
# ends. Kept in NAME.grant next to the access token, and printed in the job's log. No decision depends on it.

# keydesk_keep_grant RESPONSE FILE: keeps in FILE what the JSON in RESPONSE says.
keydesk_keep_grant() {
  local environment revocation seconds
  environment="$(keydesk_member environment "$1")"
  revocation="$(keydesk_member revocation "$1")"
  seconds="$(keydesk_member expires_in "$1")"
  if [[ ! "$seconds" =~ ^[1-9][0-9]{0,5}$ ]]; then
    seconds=0
  fi
  printf '%s %s %s %s\n' "${environment:--}" "${revocation:--}" "$(($(date +%s) + seconds))" "$seconds" >"$2"
}

# keydesk_read_grant FILE: sets KEYDESK_ENVIRONMENT, _REVOCATION, _EXPIRES_AT (seconds since the epoch) and _EXPIRES_IN
# (seconds, when it was issued). They are empty when nothing is known.
keydesk_read_grant() {
  local grant='^([A-Za-z0-9_.-]{1,63}) (immediate|propagating|expiry|-) ([0-9]{1,12}) ([1-9][0-9]{0,5})$' kept
  KEYDESK_ENVIRONMENT='' KEYDESK_REVOCATION='' KEYDESK_EXPIRES_AT='' KEYDESK_EXPIRES_IN=''
  kept="$(keydesk_read "$1")"
  if [[ "$kept" =~ $grant ]]; then
    KEYDESK_ENVIRONMENT="${BASH_REMATCH[1]#-}"
    KEYDESK_REVOCATION="${BASH_REMATCH[2]#-}"
    KEYDESK_EXPIRES_AT="${BASH_REMATCH[3]}"
    KEYDESK_EXPIRES_IN="${BASH_REMATCH[4]}"
  fi
}

# keydesk_describe_grant FILE KIND: prints what the log says about a credential, in which KIND is `file`, `token` or both.
keydesk_describe_grant() {
  keydesk_read_grant "$1"
  if [[ -n "$KEYDESK_ENVIRONMENT" ]]; then
    printf '; environment %s' "$KEYDESK_ENVIRONMENT"
  fi
  if [[ -n "$KEYDESK_EXPIRES_IN" && "$2" == *token* ]]; then
    printf '; token valid until %s (%s), not renewed' \
      "$(keydesk_utc "$KEYDESK_EXPIRES_AT")" "$(keydesk_duration "$KEYDESK_EXPIRES_IN")"
  fi
  if [[ -n "$KEYDESK_EXPIRES_IN" && "$2" == *file* ]]; then
    printf '; client libraries request tokens with it, each valid for %s' "$(keydesk_duration "$KEYDESK_EXPIRES_IN")"
    if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
      printf ', until %s' "$(keydesk_utc "$(($(date +%s) + KEYDESK_LIFETIME))")"
    fi
  fi
  case "$KEYDESK_REVOCATION" in
    immediate) printf '; when the job ends: rejected on the next request of the generated rules' ;;
    propagating) printf '; when the job ends: its service account is disabled, and Google rejects its tokens' ;;
    expiry) printf '; when the job ends: not renewed, but valid until it expires' ;;
  esac
}

# keydesk_utc EPOCH-SECONDS: the time of day.
keydesk_utc() {
  printf '%02d:%02d UTC' "$(($1 % 86400 / 3600))" "$(($1 % 3600 / 60))"
}

# keydesk_duration SECONDS: in minutes, from two minutes on.
keydesk_duration() {
  if (($1 < 120)); then
    printf '%d s' "$1"
  else
    printf '%d min' "$((($1 + 30) / 60))"
  fi
}
