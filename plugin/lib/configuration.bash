# Reads the plugin's configuration from the variables that the agent sets. Reports all problems at once, by key and never
# by value: a value may be a secret in the wrong place. Makes no request and writes no file.
# shellcheck disable=SC2034 # what it sets is for the other files of this folder

KEYDESK_DEFAULT_VARIABLE=GOOGLE_APPLICATION_CREDENTIALS

# Sets KEYDESK_URL, _AUDIENCE, _CLAIMS[], _HOOK, _JOB_TOKEN_AS, _LIFETIME, _TIMEOUT, _APPROVAL_TIMEOUT, and _AGENT_FROM, _AGENT_SOURCE and
# _AGENT_AUDIENCE for the machine's token. Sets one element for each credential in KEYDESK_NAMES[], _FILES[] and _TOKENS[]. An element of the last two is empty when the step wants no such variable.
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
    keydesk_problem 'BUILDKITE_PLUGIN_NAME: must be the name of the plugin, as the agent sets it'
    return 1
  fi
  # The agent names a plugin by the last part of its reference: KEYDESK in a repository of its own, PLUGIN in a subfolder.
  KEYDESK_PREFIX="BUILDKITE_PLUGIN_$name"

  keydesk_check_keys
  keydesk_read_url
  keydesk_setting audience
  KEYDESK_AUDIENCE="${REPLY:-$KEYDESK_URL}"
  if [[ "$KEYDESK_AUDIENCE" =~ [[:cntrl:]] ]]; then
    keydesk_problem 'audience: must not contain a control character, such as a line break'
  fi
  keydesk_read_claims
  keydesk_read_choice hook pre-command environment
  KEYDESK_HOOK="$REPLY"
  keydesk_read_choice job-token executable file
  KEYDESK_JOB_TOKEN_AS="$REPLY"
  keydesk_read_seconds timeout 300 0 3600
  KEYDESK_TIMEOUT="$REPLY"
  keydesk_read_seconds approval-timeout 1800 0 7200
  KEYDESK_APPROVAL_TIMEOUT="$REPLY"
  keydesk_read_agent_token
  keydesk_read_seconds lifetime 300 60 7200
  KEYDESK_LIFETIME="$REPLY"
  keydesk_setting lifetime
  if [[ -n "$REPLY" && "$KEYDESK_JOB_TOKEN_AS" != file ]]; then
    keydesk_problem 'lifetime: is valid only with "job-token: file"'
  fi
  keydesk_read_credentials
  [[ ${#KEYDESK_PROBLEMS[@]} -eq 0 ]]
}

# keydesk_problem TEXT: adds it, once.
keydesk_problem() {
  local known
  for known in ${KEYDESK_PROBLEMS[@]+"${KEYDESK_PROBLEMS[@]}"}; do
    if [[ "$known" == "$1" ]]; then
      return
    fi
  done
  KEYDESK_PROBLEMS+=("$1")
}

# keydesk_has_problem LABEL: whether a problem with that label is known.
keydesk_has_problem() {
  local known
  for known in ${KEYDESK_PROBLEMS[@]+"${KEYDESK_PROBLEMS[@]}"}; do
    if [[ "$known" == "$1: "* ]]; then
      return 0
    fi
  done
  return 1
}

# Sets REPLY to the value of a key, exactly; to nothing when the key is absent.
keydesk_setting() {
  keydesk_variable "$1"
  REPLY="${!REPLY-}"
}

# Sets REPLY to the name of the variable that the agent makes of a key. Each hook reads many keys, so this starts no process.
keydesk_variable() {
  local rest="$1" small=abcdefghijklmnopqrstuvwxyz- large=ABCDEFGHIJKLMNOPQRSTUVWXYZ_ letter before
  REPLY="${KEYDESK_PREFIX}_"
  while [[ -n "$rest" ]]; do
    letter="${rest:0:1}"
    before="${small%%"$letter"*}"
    REPLY="$REPLY${large:${#before}:1}"
    if [[ "$before" == "$small" ]]; then
      REPLY="$REPLY$letter"
    fi
    rest="${rest:1}"
  done
}

# Reports unknown keys, and lists and mappings where one value is expected. The agent makes KEY_0 of a list's first item
# and KEY_NAME of a mapping's key.
keydesk_check_keys() {
  local variable key label
  local one='^(URL|AUDIENCE|HOOK|JOB_TOKEN|LIFETIME|TIMEOUT|APPROVAL_TIMEOUT|AGENT_TOKEN(_(FROM|FILE|COMMAND|AUDIENCE))?)(_[0-9]+(_.*)?)?$' list='^(CLAIMS|CREDENTIALS)(_[0-9]{1,2})?$'
  local part='^CREDENTIALS(_([0-9]{1,2}))?_(NAME|FILE|TOKEN)(_[0-9]+(_.*)?)?$' other='^CREDENTIALS_(([0-9]{1,2})_)?(.+)$'
  for variable in "${!BUILDKITE_PLUGIN_@}"; do
    key="${variable#"${KEYDESK_PREFIX}_"}"
    if [[ "$key" == "$variable" || "$key" =~ $list ]]; then
      continue
    fi
    if [[ "$key" =~ $one ]]; then
      if [[ -n "${BASH_REMATCH[4]}" ]]; then
        label="$(keydesk_key_name "${BASH_REMATCH[1]}")"
        keydesk_problem "${label/agent-token-/agent-token.}: must be one value, not a list"
      fi
    elif [[ "$key" == CLAIMS_* ]]; then
      keydesk_problem 'claims: must be the name of a claim, or a list of names'
    elif [[ "$key" =~ $part ]]; then
      if [[ -n "${BASH_REMATCH[4]}" ]]; then
        label="credentials${BASH_REMATCH[2]:+[${BASH_REMATCH[2]}]}.$(keydesk_key_name "${BASH_REMATCH[3]}")"
        keydesk_problem "$label: must be one value, not a list"
      fi
    elif [[ "$key" =~ $other ]]; then
      label="credentials${BASH_REMATCH[2]:+[${BASH_REMATCH[2]}]}"
      if [[ "${BASH_REMATCH[3]}" == [0-9]* ]]; then
        keydesk_problem "$label: must be a name, or a mapping with name, file and token, not a list"
      else
        keydesk_problem "$label: unknown key $(keydesk_key_name "${BASH_REMATCH[3]}"); use name, file and token"
      fi
    else
      keydesk_problem "$(keydesk_key_name "$key"): unknown key"
    fi
  done
}

# keydesk_key_name PART-OF-A-VARIABLE: prints it as the pipeline writes it.
keydesk_key_name() {
  printf '%s' "$1" | tr 'A-Z_' 'a-z-'
}

# Sets REPLY to the number of items in a list; to 0 when the key is no list. An item without a variable counts too.
keydesk_items() {
  local variable item items=0
  keydesk_variable "$1"
  item="^${REPLY}_([0-9]{1,2})(_|$)"
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
    keydesk_has_problem url || keydesk_problem "url: is required; set it to Keydesk's URL"
  elif ! keydesk_is_url "$KEYDESK_URL"; then
    keydesk_problem 'url: must be https://HOST[:PORT][/PATH], without user, query or fragment; http only for localhost'
  fi
}

# Whether a text is a URL to which the plugin may send secrets, and which curl reads as one URL.
keydesk_is_url() {
  local port='(:[0-9]{1,5})?' path='(/[A-Za-z0-9._~-]+)*'
  local anywhere="^https://([A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])$port$path$"
  local here="^http://(127\.0\.0\.1|localhost|\[::1\])$port$path$"
  [[ "$1" =~ $anywhere || "$1" =~ $here ]]
}

# Reads where the machine's token is from: KEYDESK_AGENT_FROM is aws, gcp, kubernetes, file or command, or nothing without such a
# token. KEYDESK_AGENT_SOURCE is the file or the command.
keydesk_read_agent_token() {
  local key from given=0
  KEYDESK_AGENT_FROM='' KEYDESK_AGENT_SOURCE=''
  keydesk_setting agent-token
  from="$REPLY"
  for key in from file command; do
    keydesk_setting "agent-token-$key"
    if [[ -n "$REPLY" ]]; then
      given=$((given + 1))
      if [[ "$key" == from ]]; then
        from="$REPLY"
      else
        KEYDESK_AGENT_FROM="$key" KEYDESK_AGENT_SOURCE="$REPLY"
      fi
    fi
  done
  if [[ -n "$from" ]]; then
    KEYDESK_AGENT_FROM="$from"
  fi
  key=audience
  keydesk_setting "agent-token-$key"
  KEYDESK_AGENT_AUDIENCE="${REPLY:-$KEYDESK_AUDIENCE}"
  if ((given > 1)); then
    keydesk_problem 'agent-token: must have one of from, file and command'
  elif [[ "$from" == gke || "$from" == eks ]]; then
    keydesk_problem 'agent-token: must be kubernetes for a pod of GKE or EKS, with a projected service account token'
  elif [[ -n "$from" && "$from" != aws && "$from" != gcp && "$from" != kubernetes ]]; then
    keydesk_problem 'agent-token: must be aws, gcp or kubernetes, or a mapping with from, file or command'
  elif [[ "$KEYDESK_AGENT_FROM" == file && ! "$KEYDESK_AGENT_SOURCE" =~ ^/[^[:cntrl:]]+$ ]]; then
    keydesk_problem 'agent-token.file: must be the full path of a file'
  elif [[ ("$KEYDESK_AGENT_FROM" == command || "$KEYDESK_AGENT_FROM" == file) && "${BUILDKITE_COMMAND_EVAL:-true}" == false ]]; then
    keydesk_problem "agent-token.$KEYDESK_AGENT_FROM: is not allowed, since this agent runs no commands of pipelines"
  elif [[ -n "$REPLY" && -z "$KEYDESK_AGENT_FROM" ]]; then
    keydesk_problem 'agent-token.audience: is valid only with from, file or command'
  fi
  if [[ "$REPLY" =~ [[:cntrl:]] ]]; then
    keydesk_problem 'agent-token.audience: must not contain a control character, such as a line break'
  fi
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
  if [[ "$2" =~ $claim ]] && ! keydesk_is_boolean "$2"; then
    KEYDESK_CLAIMS+=("$2")
  else
    keydesk_problem "$1: must be the name of a claim, without commas or spaces; write several as a list"
  fi
}

# Whether a value is a YAML boolean, which the agent passes on as text, or a text that reads like one.
keydesk_is_boolean() {
  case "$1" in
    true | True | TRUE | false | False | FALSE | yes | no | on | off | null) ;;
    *) return 1 ;;
  esac
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
    keydesk_problem "$1: must be a whole number of seconds from $3 to $4, without a unit"
    REPLY="$2"
  fi
}

keydesk_read_credentials() {
  local index items
  keydesk_items credentials
  items="$REPLY"
  if keydesk_is_credential credentials; then
    keydesk_read_credential credentials credentials
  elif [[ "$items" -eq 0 ]] && ! keydesk_has_problem credentials; then
    keydesk_problem 'credentials: is required; set it to the names of the credentials that the step needs'
  fi
  for ((index = 0; index < items; index++)); do
    keydesk_read_credential "credentials[$index]" "credentials-$index"
  done
  if [[ -n "$KEYDESK_AGENT_FROM" && -n "${KEYDESK_FILES[*]-}" && "${KEYDESK_FILES[*]}" == *[!\ ]* ]]; then
    keydesk_problem "agent-token: set token at each credential, and no file: client libraries cannot send the machine's token"
  fi
}

# Whether a key holds one credential, by name or as a mapping.
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
    keydesk_has_problem "$label" || keydesk_has_problem "$label.name" ||
      keydesk_problem "$label: name is required; set it to the name of a credential in the policy"
  elif [[ ! "$name" =~ ^[a-z][a-z0-9-]{0,62}$ ]] || keydesk_is_boolean "$name"; then
    keydesk_problem "$label: must be the name of a credential in the policy: a letter, then a-z, 0-9 and -, 63 at most"
  fi
  keydesk_take_variable "$label.file" "$file" GOOGLE_APPLICATION_CREDENTIALS
  keydesk_take_variable "$label.token" "$token" ACCESS_TOKEN
  KEYDESK_NAMES+=("$name")
  KEYDESK_FILES+=("$file")
  KEYDESK_TOKENS+=("$token")
}

# keydesk_take_variable LABEL VARIABLE EXAMPLE
keydesk_take_variable() {
  if [[ -z "$2" ]]; then
    return
  fi
  if [[ ! "$2" =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || keydesk_is_boolean "$2"; then
    keydesk_problem "$1: must be the name of an environment variable, for example $3"
  elif keydesk_is_reserved "$2"; then
    keydesk_problem "$1: $2 is reserved; use another variable"
  elif [[ "$KEYDESK_TAKEN" == *" $2 "* ]]; then
    keydesk_problem "$1: $2 already holds another credential; use another variable"
  fi
  KEYDESK_TAKEN="$KEYDESK_TAKEN$2 "
}

# Whether a shell, a loader, an interpreter, a proxy, the agent or this plugin reads a variable to decide what it does.
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
