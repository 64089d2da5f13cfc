# Reads what the desk answered, and tells of a refusal: the desk's own words, the id under which its log has the reason,
# and what to do. What it reads may come from anybody; what it prints is fit for a log.

# keydesk_header NAME FILE: the value of the last header of that name.
keydesk_header() {
  { grep -i "^$1:" "$2" 2>/dev/null || true; } | tail -n 1 | cut -d : -f 2- | tr -cd 'A-Za-z0-9._-'
}

# keydesk_read_members FILE: reads one JSON object strictly (RFC 8259) and sets KEYDESK_MEMBERS[], `"NAME"=VALUE` each,
# with the value as it stands in the JSON. Fails on anything else, on a name that comes twice, and on more than 20 KiB.
# A value may be a list or an object of one level; what is inside it is not read.
keydesk_read_members() {
  local text name known string number inside member
  string='"([^"\[:cntrl:]]|\\["\/bfnrt]|\\u[0-9A-Fa-f]{4})*"'
  number='-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?'
  inside='[^][{}[:cntrl:]]*'
  member="($string)[ ]*:[ ]*($string|$number|true|false|null|\\[$inside\\]|\\{$inside\\})[ ]*(,[ ]*|\\}[ ]*\$)"
  KEYDESK_MEMBERS=()
  text="$(head -c 20481 "$1" 2>/dev/null | tr '\000' '\001')"
  [[ "${text:0:1}" == '{' && ${#text} -le 20480 ]] || return 1
  text="${text:1}"
  while [[ "$text" =~ ^[\ ]*$member ]]; do
    name="${BASH_REMATCH[1]}"
    for known in ${KEYDESK_MEMBERS[@]+"${KEYDESK_MEMBERS[@]}"}; do
      [[ "$known" != "$name="* ]] || return 1
    done
    KEYDESK_MEMBERS+=("$name=${BASH_REMATCH[3]}")
    [[ "${BASH_REMATCH[8]}" == ,* ]] || return 0
    text="${text:${#BASH_REMATCH[0]}}"
  done
  return 1
}

# keydesk_json NAME FILE: prints the value of a member as it stands in the JSON; nothing when there is none.
keydesk_json() {
  local member
  keydesk_read_members "$2" || return 0
  for member in "${KEYDESK_MEMBERS[@]}"; do
    if [[ "$member" == "\"$1\"="* ]]; then
      printf '%s' "${member#*=}"
    fi
  done
}

# keydesk_member NAME FILE: the same in plain text, fit for a log.
keydesk_member() {
  keydesk_json "$1" "$2" |
    sed 's/^"//; s/"$//; s/\\u..../?/g; s/\\[bfnrt]/ /g; s/\\\(.\)/\1/g' | keydesk_printable
}

# What came back, in few words: the status and the error's name, or what curl says.
keydesk_outcome() {
  local error
  if [[ "$KEYDESK_STATUS" == 000 ]]; then
    printf 'curl: (%s) ' "$KEYDESK_CURL"
    tail -n 1 "$1/complaint" 2>/dev/null | sed 's/^curl: ([0-9]*) //' | keydesk_printable
    return
  fi
  error="$(keydesk_member error "$1/answer")"
  printf '%s%s' "$KEYDESK_STATUS" "${error:+ $error}"
}

# keydesk_report_refusal NAME FOLDER: the desk's own words, the id under which its log has the reason, and what to do.
keydesk_report_refusal() {
  local name="$1" folder="$2" description request_id
  description="$(keydesk_member error_description "$folder/answer")"
  request_id="$(keydesk_header x-request-id "$folder/headers")"
  # The desk ends its words with the id, for those who see nothing else of an answer.
  description="${description% Request id: "$request_id"}"
  keydesk_error "Keydesk: $KEYDESK_URL did not issue $name ($(keydesk_outcome "$folder"))."
  if [[ -n "$description" ]]; then
    keydesk_log "  It says: $description"
  fi
  if [[ -n "$request_id" ]]; then
    keydesk_log "  Request id: $request_id"
  fi
  keydesk_log "  What to do: $(keydesk_hint "$folder")"
}

# keydesk_is_permanent FILE: whether the desk says that the same request fails again, whatever the status.
keydesk_is_permanent() {
  [[ "$(keydesk_json permanent "$1")" == true ]]
}

# keydesk_hint FOLDER
keydesk_hint() {
  local error missing=''
  error="$(keydesk_member error "$1/answer")"
  if [[ -n "$(keydesk_json missing_claims "$1/answer")" ]]; then
    missing=missing_claims
  fi
  if keydesk_is_permanent "$1/answer"; then
    echo 'do not retry: it fails until those who run the desk have changed what it says.'
    return
  fi
  case "$KEYDESK_STATUS:$error:$missing" in
    000:*) keydesk_curl_hint ;;
    429:*) echo 'ask less often, or wait for what the pipeline holds to end.' ;;
    503:temporarily_unavailable:*)
      echo "retry the job later. This took longer than timeout, $KEYDESK_TIMEOUT s, or the desk named a longer wait."
      ;;
    5??:*) echo "retry the job later, and tell those who run the desk when it goes on." ;;
    *:invalid_token:*)
      printf 'see whether the audience of the policy is "%s", for which the token was asked' "$KEYDESK_AUDIENCE"
      if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
        printf ', and its maxJobTokenLifetime no less than %s s' "$KEYDESK_LIFETIME"
      fi
      echo .
      ;;
    *:invalid_request:missing_claims) echo 'add those claims to claims, which now are: '"${KEYDESK_CLAIMS[*]}." ;;
    *:invalid_target:*) echo 'check the name of the credential, then ask those who own the policy.' ;;
    *:invalid_grant:*) echo 'retry the job.' ;;
    *) echo 'see whether url is that of the desk itself, and open to the agents.' ;;
  esac
}

keydesk_curl_hint() {
  case "$KEYDESK_CURL" in
    5 | 6 | 7 | 28) echo 'see whether url is right, and whether agents reach it.' ;;
    35 | 51 | 53 | 54 | 58 | 59 | 60 | 77 | 83 | 90 | 91)
      echo "see whether the agent's machine trusts the certificate of the desk."
      ;;
    127) echo 'install curl where the agent runs.' ;;
    *) echo 'see what curl says: its manual lists its exit codes.' ;;
  esac
}
