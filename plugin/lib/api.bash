# Sends requests to Keydesk with curl. No secret is in curl's arguments, which every process of the machine can read, and
# none is printed. Retries when Keydesk is busy or unavailable, and not when it refuses or says that the failure is
# permanent. Does not use curl's --retry for that: a job token is short-lived, and a late retry needs a new one.

# Seconds between two tries, unless Retry-After names more.
KEYDESK_LONGEST_PAUSE=30

# keydesk_post URL FOLDER INPUT ARGUMENT...: posts with curl, which reads INPUT as its standard input. Sets
# KEYDESK_STATUS to the status of the response, or to 000 when no complete one came, and KEYDESK_CURL to curl's exit code.
# FOLDER then has `answer` (the body), `headers`, and `complaint` (curl's error message).
keydesk_post() {
  if ! keydesk_is_url "$1"; then
    KEYDESK_STATUS=000 KEYDESK_CURL=3
    rm -f -- "$2/answer" "$2/headers"
    echo 'curl: (3) the URL of Keydesk has an unexpected form' >"$2/complaint"
    return
  fi
  keydesk_curl "$@"
}

# keydesk_curl URL FOLDER INPUT ARGUMENT...: the same for a URL that was checked, with any method.
keydesk_curl() {
  local url="$1" folder="$2" direct=()
  # A local variable is exported when the job exports one of its name.
  local +x input="$3"
  shift 3
  rm -f -- "$folder/answer" "$folder/headers" "$folder/complaint"
  # http is for this machine only: no proxy may read a token that is not encrypted.
  if [[ "$url" == http://* ]]; then
    direct=(--noproxy '*')
  fi
  # Without ~/.curlrc, in which `verbose` or `trace` would print the token.
  KEYDESK_STATUS="$(printf '%s' "$input" | command curl --disable --silent --show-error --globoff \
    --proto '=http,https' --suppress-connect-headers --max-filesize 65536 \
    --header 'Expect:' --user-agent keydesk-buildkite-plugin \
    --output "$folder/answer" --dump-header "$folder/headers" --write-out '%{http_code}' \
    ${direct[@]+"${direct[@]}"} "$@" --url "$url" 2>"$folder/complaint")"
  KEYDESK_CURL=$?
  if [[ $KEYDESK_CURL -ne 0 || ! "$KEYDESK_STATUS" =~ ^[0-9]{3}$ ]]; then
    KEYDESK_STATUS=000
  fi
}

# All requests of one use of the plugin share the deadline.
keydesk_start_deadline() {
  KEYDESK_DEADLINE=$((SECONDS + KEYDESK_TIMEOUT))
}

# keydesk_request NAME FOLDER: requests a credential until it is issued or refused, or the deadline is over. Its access
# token is then in FOLDER/NAME.access-token, and the redactor has it.
keydesk_request() {
  local name="$1" folder="$2" pause=1
  local +x token secrets
  while true; do
    keydesk_fresh_job_token && keydesk_fresh_agent_token "$folder" || return 1
    secrets="Authorization: Bearer $KEYDESK_JOB_TOKEN"$'\n'
    if [[ -n "$KEYDESK_AGENT_TOKEN" ]]; then
      secrets+="Keydesk-Actor-Token: $KEYDESK_AGENT_TOKEN"$'\n'
    fi
    # An empty body with its length: Google's front end refuses a POST without Content-Length.
    # shellcheck disable=SC2153 # KEYDESK_URL is the configuration's
    keydesk_post "$KEYDESK_URL/token/$name" "$folder" "$secrets" \
      --header @- --header 'Accept: application/json' --header 'Content-Type:' --data '' --connect-timeout 10 --max-time 60
    if [[ "$KEYDESK_STATUS" == 200 ]]; then
      break
    fi
    if keydesk_is_pending "$folder/answer"; then
      keydesk_wait_for_approval "$name" "$folder" || return 1
      pause=1
      keydesk_start_deadline
      continue
    fi
    if ! keydesk_is_retryable || keydesk_is_permanent "$folder/answer" || ! keydesk_pause "$name" "$folder" "$pause"; then
      keydesk_report_refusal "$name" "$folder"
      return 1
    fi
    pause=$((pause * 2 < KEYDESK_LONGEST_PAUSE ? pause * 2 : KEYDESK_LONGEST_PAUSE))
  done
  token="$(keydesk_json access_token "$folder/answer")"
  token="${token#\"}"
  token="${token%\"}"
  if ! keydesk_is_token "$token"; then
    rm -f -- "$folder/answer"
    keydesk_error "Keydesk: $KEYDESK_URL returned no access token for $name." \
      '  What to do: set url to the URL of Keydesk, not of a proxy or a login page.'
    return 1
  fi
  # From here on it can be released, also when the step does not get it.
  printf '%s' "$token" >"$folder/$name.access-token"
  [[ "$(keydesk_read "$folder/$name.access-token")" == "$token" ]] || return 1
  keydesk_keep_grant "$folder/answer" "$folder/$name.grant" || return 1
  rm -f -- "$folder/answer" "$folder/headers" "$folder/complaint"
  keydesk_redact "the token of $name" "$token"
}

keydesk_is_token() {
  [[ "$1" =~ ^[A-Za-z0-9._~+/=-]+$ && ${#1} -ge 16 ]]
}

# Whether a retry may succeed. curl's codes are those of unknown hosts and of connections that are refused, cut or slow.
keydesk_is_retryable() {
  case "$KEYDESK_STATUS:$KEYDESK_CURL" in
    408:* | 429:* | 500:* | 502:* | 503:* | 504:*) ;;
    000:5 | 000:6 | 000:7 | 000:16 | 000:18 | 000:28 | 000:35 | 000:52 | 000:55 | 000:56 | 000:92) ;;
    *) return 1 ;;
  esac
}

# keydesk_pause NAME FOLDER SECONDS: waits at least for SECONDS and for Retry-After. Fails at once when the wait would end
# after the deadline.
keydesk_pause() {
  local name="$1" folder="$2" pause="$3" wished
  # With a random part, so that jobs that started together do not retry together.
  pause=$((pause + RANDOM % (pause + 1)))
  wished="$(keydesk_header retry-after "$folder/headers")"
  if [[ "$wished" =~ ^[0-9]{1,5}$ ]] && ((10#$wished > pause)); then
    pause=$((10#$wished))
  fi
  if ((SECONDS + pause > KEYDESK_DEADLINE)); then
    return 1
  fi
  if ((pause >= 5)); then
    keydesk_log "$name: the request failed ($(keydesk_outcome "$folder")); retrying in $pause s"
  fi
  sleep "$pause"
}
