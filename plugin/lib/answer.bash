# Reads what the desk answered, and tells of a refusal: the desk's own words, the id under which its log has the reason,
# and what to do. What it reads may come from anybody; what it prints is fit for a log.

# keydesk_header NAME FILE: the value of the last header of that name.
keydesk_header() {
  { grep -i "^$1:" "$2" 2>/dev/null || true; } | tail -n 1 | cut -d : -f 2- | tr -cd 'A-Za-z0-9._-'
}

# keydesk_member NAME FILE: a member of the desk's JSON, whose texts hold neither quotes nor backslashes.
keydesk_member() {
  sed -n 's/.*"'"$1"'": *"\{0,1\}\([^"\\,}]*\).*/\1/p' "$2" 2>/dev/null | keydesk_printable | head -n 1
}

# The member may hold commas, unlike all others.
keydesk_description() {
  sed -n 's/.*"error_description": *"\([^"\\]*\)".*/\1/p' "$1" 2>/dev/null | keydesk_printable | head -n 1
}

# What came back, in few words: the status and the error's name, or what curl says.
keydesk_what_came() {
  local error
  if [[ "$KEYDESK_STATUS" == 000 ]]; then
    printf 'curl: (%s) ' "$KEYDESK_CURL"
    tail -n 1 "$1/complaint" 2>/dev/null | sed 's/^curl: ([0-9]*) //' | keydesk_printable
    return
  fi
  error="$(keydesk_member error "$1/answer")"
  printf '%s%s' "$KEYDESK_STATUS" "${error:+ $error}"
}

# keydesk_tell_refusal NAME FOLDER: the desk's own words, the id under which its log has the reason, and what to do.
keydesk_tell_refusal() {
  local name="$1" folder="$2" description request_id
  description="$(keydesk_description "$folder/answer")"
  request_id="$(keydesk_header x-request-id "$folder/headers")"
  # The desk ends its words with the id, for those who see nothing else of an answer.
  description="${description% Request id: "$request_id"}"
  keydesk_complain "Keydesk: $KEYDESK_URL did not hand out $name ($(keydesk_what_came "$folder"))."
  if [[ -n "$description" ]]; then
    keydesk_say "  It says: $description"
  fi
  if [[ -n "$request_id" ]]; then
    keydesk_say "  Request id: $request_id"
  fi
  keydesk_say "  What to do: $(keydesk_advice "$folder" "$description")"
}

# keydesk_advice FOLDER DESCRIPTION
keydesk_advice() {
  local error
  error="$(keydesk_member error "$1/answer")"
  case "$KEYDESK_STATUS:$error:$2" in
    000:*) keydesk_curl_advice ;;
    429:*) echo 'ask less often, or wait for what the pipeline holds to end.' ;;
    503:temporarily_unavailable:*)
      echo "retry the job later. This took longer than timeout, $KEYDESK_TIMEOUT s, or the desk named a longer wait."
      ;;
    5??:*) echo "retry the job later, and tell those who run the desk when it goes on." ;;
    *:invalid_token:*)
      printf 'see whether the audience of the policy is "%s", for which the token was asked' "$KEYDESK_AUDIENCE"
      if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
        printf ', and its jobTokenLifetime no less than %s s' "$KEYDESK_LIFETIME"
      fi
      echo .
      ;;
    *:invalid_request:*--claim*) echo 'add those claims to claims, which now are: '"${KEYDESK_CLAIMS[*]}." ;;
    *:invalid_target:*) echo 'check the name of the credential, then ask those who own the policy.' ;;
    *:invalid_grant:*) echo 'retry the job: a retry is a new job.' ;;
    *) echo 'see whether url is that of the desk itself, and open to the agents.' ;;
  esac
}

keydesk_curl_advice() {
  case "$KEYDESK_CURL" in
    5 | 6 | 7 | 28) echo 'see whether url is right, and whether agents reach it.' ;;
    35 | 51 | 53 | 54 | 58 | 59 | 60 | 77 | 83 | 90 | 91)
      echo "see whether the agent's machine trusts the certificate of the desk."
      ;;
    127) echo 'install curl where the agent runs.' ;;
    *) echo 'see what curl says: its manual lists its exit codes.' ;;
  esac
}
