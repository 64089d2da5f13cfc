# Reports why the step does not get a credential: Keydesk's message, the ID of the request, the claims that the job had,
# and what to do. Chooses by status and members of the response, never by words.

# keydesk_report_refusal NAME FOLDER
keydesk_report_refusal() {
  local name="$1" folder="$2" description request_id
  description="$(keydesk_member error_description "$folder/answer")"
  request_id="$(keydesk_header x-request-id "$folder/headers")"
  # The description ends with the ID, for clients that show nothing else.
  description="${description% Request [Ii][Dd]: "$request_id"}"
  keydesk_error "Keydesk: $KEYDESK_URL did not issue $name ($(keydesk_outcome "$folder"))."
  if [[ -n "$description" ]]; then
    keydesk_log "  Message: $description"
  fi
  if [[ -n "$request_id" ]]; then
    keydesk_log "  Request ID: $request_id"
  fi
  keydesk_log "  What to do: $(keydesk_hint "$folder")"
  case "$(keydesk_member error "$folder/answer"):$(keydesk_json missing_claims "$folder/answer")" in
    invalid_target:* | invalid_request:?*) keydesk_report_claims "$name" "$folder" ;;
  esac
}

# keydesk_hint FOLDER: prints what to do.
keydesk_hint() {
  local error missing wait
  error="$(keydesk_member error "$1/answer")"
  missing="$(keydesk_missing_claims "$1/answer")"
  wait="$(keydesk_member retry_after "$1/answer")"
  [[ "$wait" =~ ^[1-9][0-9]{0,5}$ ]] || wait=''
  if keydesk_is_permanent "$1/answer"; then
    echo 'do not retry the job. Send the message and the request ID to the operators of Keydesk.'
    return
  fi
  case "$KEYDESK_STATUS:$error:${missing:+missing}" in
    000:*) keydesk_curl_hint ;;
    429:*)
      printf '%s. Request a token once and keep it until it expires.\n' "$(keydesk_when "$wait")"
      ;;
    503:temporarily_unavailable:*)
      printf '%s. The plugin retries for timeout, which is %s s; a larger timeout lets it wait longer.\n' \
        "$(keydesk_when "$wait")" "$KEYDESK_TIMEOUT"
      ;;
    5??:*) echo 'retry the job later. If it fails again, send the request ID to the operators of Keydesk.' ;;
    *:invalid_token:*)
      printf 'follow the message. If it names no cause, send the request ID to the operators of Keydesk. The settings: audience "%s"' \
        "$KEYDESK_AUDIENCE"
      if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
        printf ', lifetime %s' "$KEYDESK_LIFETIME"
      fi
      echo .
      ;;
    *:missing)
      printf 'add the missing claims to the settings of the plugin:\n    claims: [%s]\n' "$missing"
      ;;
    *:invalid_target:*)
      if [[ "$KEYDESK_URL" == */token ]]; then
        printf "remove /token from url if Keydesk's base URL does not end in it: the plugin adds that path. Otherwise, "
      fi
      echo 'check the name of the credential. Then ask the owners of the policy for a rule that matches this job.'
      ;;
    *:invalid_request:*)
      if [[ -n "$KEYDESK_AGENT_FROM" ]]; then
        echo "follow the message. The machine's token is of agent-token, and was requested for the audience $KEYDESK_AGENT_AUDIENCE."
      else
        echo "follow the message. Where the policy demands a token of the machine, set agent-token."
      fi
      ;;
    *:access_denied:*) echo 'follow the message. Another approval, build or machine can help, or a change in a team. A retry without one of them does not.' ;;
    *:invalid_grant:*) echo 'follow the message. This job cannot receive the credential; a retry of the job is a new job.' ;;
    *:not_found:*) echo "set url to Keydesk's base URL, without /token." ;;
    *) echo "check url, and whether Keydesk's ingress accepts requests from the agents." ;;
  esac
}

# keydesk_when SECONDS: prints when to retry the job, as Keydesk names it.
keydesk_when() {
  if [[ -n "$1" ]]; then
    printf 'retry the job after %s (in %s)' "$(keydesk_utc "$(($(date +%s) + $1))")" "$(keydesk_duration "$1")"
  else
    printf 'retry the job later'
  fi
}

# keydesk_missing_claims FILE: prints a list of the claims that the plugin requests and of those that Keydesk lacks.
keydesk_missing_claims() {
  local list claim name='^[A-Za-z][A-Za-z0-9_.:-]{0,140}$' all
  list="$(keydesk_json missing_claims "$1")"
  [[ "$list" == '['*']' ]] || return 0
  list="${list#\[}"
  all="$(printf ', %s' "${KEYDESK_CLAIMS[@]}")"
  while IFS= read -r claim; do
    [[ ! "$claim" =~ $name ]] || all+=", $claim"
  done <<LIST
$(printf '%s' "${list%\]}" | tr ',' '\n' | sed 's/^ *"//; s/" *$//')
LIST
  printf '%s' "${all#, }"
}

keydesk_curl_hint() {
  case "$KEYDESK_CURL" in
    3) echo 'see what changed the files of the plugin while the step ran.' ;;
    5 | 6 | 7 | 28) echo 'check url, and whether the network of the agent reaches it.' ;;
    35 | 51 | 53 | 54 | 58 | 59 | 60 | 77 | 83 | 90 | 91)
      echo "check the certificate of url, and which certificates the agent's machine trusts."
      ;;
    127) echo 'install curl where the agent runs.' ;;
    *) echo "look up the exit code in curl's manual." ;;
  esac
}
