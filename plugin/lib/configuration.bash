# Reads what the pipeline says about this plugin, from the variables the agent makes of it. Either all of it is good, or
# every problem is told at once, by its key and never by its value: a value may be a secret that stands in the wrong
# place. Knows nothing of the desk, and changes nothing.
# shellcheck disable=SC2034 # what it sets is for the other files of this folder

KEYDESK_DEFAULT_VARIABLE=GOOGLE_APPLICATION_CREDENTIALS

# Sets KEYDESK_URL, _AUDIENCE, _CLAIMS[], _HOOK, _JOB_TOKEN_AS, _LIFETIME, _TIMEOUT, and for each credential one place
# in KEYDESK_NAMES[], _FILES[] and _TOKENS[]; the latter two are empty where no such variable is wanted.
# Fails with KEYDESK_PROBLEMS[] when anything is wrong.
keydesk_read_configuration() {
  local name="${BUILDKITE_PLUGIN_NAME:-KEYDESK}"
  KEYDESK_PROBLEMS=()
  KEYDESK_CLAIMS=()
  KEYDESK_NAMES=()
  KEYDESK_FILES=()
  KEYDESK_TOKENS=()
  KEYDESK_TAKEN=' '
  if [[ ! "$name" =~ ^[A-Z0-9_]+$ ]]; then
    keydesk_problem 'BUILDKITE_PLUGIN_NAME: this is not how the agent names a plugin'
    return 1
  fi
  # A plugin is named by its last folder: KEYDESK as a repository of its own, PLUGIN as this folder of another.
  KEYDESK_PREFIX="BUILDKITE_PLUGIN_$name"

  keydesk_refuse_unknown_keys
  keydesk_read_url
  keydesk_setting audience
  KEYDESK_AUDIENCE="${REPLY:-$KEYDESK_URL}"
  if [[ "$KEYDESK_AUDIENCE" =~ [[:cntrl:]] ]]; then
    keydesk_problem 'audience: holds a control character'
  fi
  keydesk_read_claims
  keydesk_read_choice hook pre-command environment
  KEYDESK_HOOK="$REPLY"
  keydesk_read_choice job-token executable file
  KEYDESK_JOB_TOKEN_AS="$REPLY"
  keydesk_read_seconds timeout 300 0 3600
  KEYDESK_TIMEOUT="$REPLY"
  keydesk_read_seconds lifetime 300 60 7200
  KEYDESK_LIFETIME="$REPLY"
  keydesk_setting lifetime
  if [[ -n "$REPLY" && "$KEYDESK_JOB_TOKEN_AS" != file ]]; then
    keydesk_problem 'lifetime: only valid with "job-token: file"'
  fi
  keydesk_read_credentials
  [[ ${#KEYDESK_PROBLEMS[@]} -eq 0 ]]
}

keydesk_problem() {
  KEYDESK_PROBLEMS+=("$1")
}

# Sets REPLY to what the pipeline says for a key, exactly; to nothing when it says nothing.
keydesk_setting() {
  local variable
  variable="${KEYDESK_PREFIX}_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')"
  REPLY="${!variable-}"
}

keydesk_refuse_unknown_keys() {
  local variable key
  local list='CLAIMS(_[0-9]{1,2})?' credential='CREDENTIALS(_[0-9]{1,2})?(_(NAME|FILE|TOKEN))?'
  local known="^(URL|AUDIENCE|HOOK|JOB_TOKEN|LIFETIME|TIMEOUT|$list|$credential)$"
  for variable in "${!BUILDKITE_PLUGIN_@}"; do
    key="${variable#"${KEYDESK_PREFIX}_"}"
    if [[ "$key" == "$variable" || "$key" =~ $known ]]; then
      continue
    fi
    keydesk_problem "$(printf '%s' "$key" | tr 'A-Z_' 'a-z-'): unknown key"
  done
}

# Sets REPLY to the number of items a list has; to 0 when it is none. An item the agent made no variable of counts too.
keydesk_items() {
  local variable item items=0
  item="^${KEYDESK_PREFIX}_$(printf '%s' "$1" | tr 'a-z-' 'A-Z_')_([0-9]{1,2})(_|$)"
  for variable in "${!BUILDKITE_PLUGIN_@}"; do
    if [[ "$variable" =~ $item ]] && ((10#${BASH_REMATCH[1]} >= items)); then
      items=$((10#${BASH_REMATCH[1]} + 1))
    fi
  done
  REPLY="$items"
}

keydesk_read_url() {
  keydesk_setting url
  KEYDESK_URL="${REPLY%/}"
  if [[ -z "$KEYDESK_URL" ]]; then
    keydesk_problem "url: is missing; it is the desk's own"
  elif ! keydesk_is_url "$KEYDESK_URL"; then
    keydesk_problem 'url: must be https://HOST[:PORT][/PATH], without a query; http only for this machine'
  fi
}

# Whether a text is a URL to which secrets may be sent, and nothing else to curl.
keydesk_is_url() {
  local port='(:[0-9]{1,5})?' path='(/[A-Za-z0-9._~-]+)*'
  local anywhere="^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$port$path$"
  local here="^http://(127\.0\.0\.1|localhost|\[::1\])$port$path$"
  [[ "$1" =~ $anywhere || "$1" =~ $here ]]
}

keydesk_read_claims() {
  local index items
  keydesk_items claims
  items="$REPLY"
  keydesk_setting claims
  if [[ -n "$REPLY" ]]; then
    keydesk_add_claim claims "$REPLY"
  fi
  for ((index = 0; index < items; index++)); do
    keydesk_setting "claims-$index"
    keydesk_add_claim "claims[$index]" "$REPLY"
  done
  if [[ ${#KEYDESK_CLAIMS[@]} -eq 0 ]]; then
    KEYDESK_CLAIMS=(organization_id pipeline_id)
  fi
}

keydesk_add_claim() {
  local claim='^[A-Za-z_][^[:space:][:cntrl:],]*$'
  if [[ "$2" =~ $claim ]]; then
    KEYDESK_CLAIMS+=("$2")
  else
    keydesk_problem "$1: is no name of a claim"
  fi
}

# keydesk_read_choice KEY DEFAULT OTHER
keydesk_read_choice() {
  keydesk_setting "$1"
  if [[ -z "$REPLY" ]]; then
    REPLY="$2"
  elif [[ "$REPLY" != "$2" && "$REPLY" != "$3" ]]; then
    keydesk_problem "$1: must be $2 or $3"
    REPLY="$2"
  fi
}

# keydesk_read_seconds KEY DEFAULT LEAST MOST
keydesk_read_seconds() {
  local number='^(0|[1-9][0-9]{0,3})$'
  keydesk_setting "$1"
  if [[ -z "$REPLY" ]]; then
    REPLY="$2"
  elif [[ ! "$REPLY" =~ $number || "$REPLY" -lt "$3" || "$REPLY" -gt "$4" ]]; then
    keydesk_problem "$1: must be a whole number of seconds from $3 to $4"
    REPLY="$2"
  fi
}

keydesk_read_credentials() {
  local index items
  keydesk_items credentials
  items="$REPLY"
  if keydesk_is_credential credentials; then
    keydesk_read_credential credentials credentials
  elif [[ "$items" -eq 0 ]]; then
    keydesk_problem 'credentials: is missing; it names what the step is to have'
  fi
  for ((index = 0; index < items; index++)); do
    keydesk_read_credential "credentials[$index]" "credentials-$index"
  done
}

# Whether anything at all stands at a key that can hold one credential.
keydesk_is_credential() {
  local key
  for key in "$1" "$1-name" "$1-file" "$1-token"; do
    keydesk_setting "$key"
    if [[ -n "$REPLY" ]]; then
      return 0
    fi
  done
  return 1
}

# keydesk_read_credential LABEL KEY
keydesk_read_credential() {
  local label="$1" key="$2" name file token
  keydesk_setting "$key"
  name="$REPLY"
  if [[ -z "$name" ]]; then
    keydesk_setting "$key-name"
    name="$REPLY"
  fi
  keydesk_setting "$key-file"
  file="$REPLY"
  keydesk_setting "$key-token"
  token="$REPLY"
  if [[ -z "$file$token" ]]; then
    file="$KEYDESK_DEFAULT_VARIABLE"
  fi
  if [[ -z "$name" ]]; then
    keydesk_problem "$label: has no name"
  elif [[ ! "$name" =~ ^[a-z][a-z0-9-]{0,62}$ ]]; then
    keydesk_problem "$label: is no name of a credential (a-z, 0-9 and -, a letter first, 63 at most)"
  fi
  keydesk_take_variable "$label.file" "$file"
  keydesk_take_variable "$label.token" "$token"
  KEYDESK_NAMES+=("$name")
  KEYDESK_FILES+=("$file")
  KEYDESK_TOKENS+=("$token")
}

# keydesk_take_variable LABEL VARIABLE
keydesk_take_variable() {
  if [[ -z "$2" ]]; then
    return
  fi
  if [[ ! "$2" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
    keydesk_problem "$1: is no name of a variable"
  elif keydesk_is_reserved "$2"; then
    keydesk_problem "$1: $2 decides how a step runs; take another variable"
  elif [[ "$KEYDESK_TAKEN" == *" $2 "* ]]; then
    keydesk_problem "$1: $2 is to hold another credential already"
  fi
  KEYDESK_TAKEN="$KEYDESK_TAKEN$2 "
}

# Whether a variable decides what a shell, a loader, an interpreter, a proxy, the agent or this plugin does.
keydesk_is_reserved() {
  case "$1" in
    PATH | HOME | SHELL | USER | LOGNAME | PWD | OLDPWD | TMPDIR | TERM | LANG | LC_* | TZ | CI | _) ;;
    IFS | ENV | PS[0-4] | CDPATH | GLOBIGNORE | PROMPT_COMMAND | SHELLOPTS | POSIXLY_CORRECT | BASH*) ;;
    UID | EUID | PPID | GROUPS | RANDOM | SECONDS | LINENO | FUNCNAME | DIRSTACK | OPT* | REPLY) ;;
    LD_* | DYLD_* | GIT_SSH* | GIT_CONFIG* | NODE_OPTIONS | NODE_PATH | PYTHON* | PERL5* | RUBY* | JAVA_TOOL_OPTIONS) ;;
    *_PROXY | *_proxy | CURL_* | SSL_* | SSLKEYLOGFILE) ;;
    BUILDKITE* | KEYDESK* | GOOGLE_EXTERNAL_ACCOUNT_* | CLOUDSDK_CONFIG | BOTO_CONFIG | BOTO_PATH) ;;
    *) return 1 ;;
  esac
}
