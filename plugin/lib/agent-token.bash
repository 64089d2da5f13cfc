# The token of the machine, by an identity provider that the policy names: requested from the platform that the machine runs on, read from a
# file, or printed by a command. Kept in a variable, and requested again for a later request to Keydesk. Uses curl alone.

# A variable from the environment would be exported to every process.
unset -v KEYDESK_AGENT_TOKEN
KEYDESK_AGENT_TOKEN=''
KEYDESK_AGENT_TOKEN_SINCE=0
# The configuration's, until it is read.
KEYDESK_AGENT_FROM='' KEYDESK_AGENT_SOURCE='' KEYDESK_AGENT_AUDIENCE=''
# Seconds. Tokens of AWS are valid for five minutes, and a request takes a minute at most.
KEYDESK_AGENT_TOKEN_REUSE=100
# Where the page about the plugin says to project it.
KEYDESK_KUBERNETES_FILE=/var/run/secrets/tokens/keydesk

# keydesk_fresh_agent_token FOLDER: sets KEYDESK_AGENT_TOKEN to one that was requested lately, if the step wants one. The job's log
# redacts it.
keydesk_fresh_agent_token() {
  local form='^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$'
  if [[ -z "$KEYDESK_AGENT_FROM" ]] ||
    { [[ -n "$KEYDESK_AGENT_TOKEN" ]] && ((SECONDS - KEYDESK_AGENT_TOKEN_SINCE < KEYDESK_AGENT_TOKEN_REUSE)); }; then
    return 0
  fi
  KEYDESK_AGENT_TOKEN=''
  KEYDESK_AGENT_TOKEN_SINCE="$SECONDS"
  case "$KEYDESK_AGENT_FROM" in
    aws) keydesk_aws_token "$1" ;;
    gcp) keydesk_gcp_token "$1" ;;
    kubernetes) keydesk_file_token "$KEYDESK_KUBERNETES_FILE" ;;
    file) keydesk_file_token "$KEYDESK_AGENT_SOURCE" ;;
    command) keydesk_command_token ;;
  esac || return 1
  if [[ ! "$KEYDESK_AGENT_TOKEN" =~ $form || ${#KEYDESK_AGENT_TOKEN} -gt 8192 ]]; then
    KEYDESK_AGENT_TOKEN=''
    keydesk_error "Keydesk: agent-token ($KEYDESK_AGENT_FROM) is no JWT of 8 KiB or less." \
      '  What to do: see what the source of agent-token returns.'
    return 1
  fi
  keydesk_redact "the machine's token" "$KEYDESK_AGENT_TOKEN"
}

keydesk_command_token() {
  # The command writes its own messages to the log. Its argument is the audience.
  if ! KEYDESK_AGENT_TOKEN="$(command bash -c "$KEYDESK_AGENT_SOURCE" agent-token "$KEYDESK_AGENT_AUDIENCE" </dev/null)"; then
    keydesk_error 'Keydesk: the command of agent-token failed.' "  What to do: read the command's message above."
    return 1
  fi
}

# keydesk_file_token FILE: the kubelet replaces it before it expires.
keydesk_file_token() {
  if ! KEYDESK_AGENT_TOKEN="$(head -c 8193 -- "$1" 2>/dev/null)"; then
    keydesk_error "Keydesk: agent-token ($KEYDESK_AGENT_FROM): $(printf '%s' "$1" | keydesk_printable) cannot be read." \
      "  What to do: project a service account token into that file, readable by the agent's user."
    return 1
  fi
}

# keydesk_gcp_token FOLDER: from the metadata server of an instance, or of a node of GKE.
# Source: https://cloud.google.com/compute/docs/instances/verifying-instance-identity.
keydesk_gcp_token() {
  local url="http://${GCE_METADATA_HOST:-metadata.google.internal}"
  keydesk_is_metadata_url "$url" GCE_METADATA_HOST || return 1
  keydesk_curl "$url/computeMetadata/v1/instance/service-accounts/default/identity" "$1" '' \
    --get --data-urlencode "audience=$KEYDESK_AGENT_AUDIENCE" --data format=full --header 'Metadata-Flavor: Google' \
    --connect-timeout 5 --max-time 20
  if [[ "$KEYDESK_STATUS" != 200 ]]; then
    keydesk_no_agent_token "$1" "Google's metadata server" 'run the agent on Compute Engine or GKE, as a service account'
    return 1
  fi
  keydesk_take_answer "$1"
  KEYDESK_AGENT_TOKEN="$REPLY"
}

# keydesk_aws_token FOLDER: with the credentials of the instance's role, which are in FOLDER for a moment and then in variables, from the regional endpoint of STS.
# Source: https://docs.aws.amazon.com/STS/latest/APIReference/API_GetWebIdentityToken.html.
keydesk_aws_token() {
  local folder="$1" url="${AWS_EC2_METADATA_SERVICE_ENDPOINT:-http://169.254.169.254}" region sts code
  local +x session secrets
  local role='^[A-Za-z0-9_+=,.@-]{1,128}$' name tag='WebIdentityToken>' token error
  token="<$tag([A-Za-z0-9_.-]+)</$tag"
  tag='Code>'
  error="<$tag([A-Za-z]{1,60})</$tag"
  url="${url%/}"
  keydesk_is_metadata_url "$url" AWS_EC2_METADATA_SERVICE_ENDPOINT || return 1
  keydesk_curl "$url/latest/api/token" "$folder" '' --request PUT \
    --header 'X-aws-ec2-metadata-token-ttl-seconds: 60' --connect-timeout 5 --max-time 10
  keydesk_take_answer "$folder"
  session="X-aws-ec2-metadata-token: $REPLY"$'\n'
  if [[ "$KEYDESK_STATUS" != 200 || ! "$REPLY" =~ ^[A-Za-z0-9_=+/-]+$ ]]; then
    keydesk_no_agent_token "$folder" 'the metadata service of EC2' \
      'run the agent on EC2. For an agent in a container, raise the hop limit of the metadata service to 2'
    return 1
  fi
  keydesk_read_metadata "$url" "$folder" "$session" iam/security-credentials/
  name="$REPLY"
  if [[ "$KEYDESK_STATUS" != 200 || ! "$name" =~ $role ]]; then
    keydesk_no_agent_token "$folder" 'the metadata service of EC2' 'give the instance a role, by an instance profile'
    return 1
  fi
  region="${AWS_REGION:-${AWS_DEFAULT_REGION:-}}"
  if [[ -z "$region" ]]; then
    keydesk_read_metadata "$url" "$folder" "$session" placement/region
    region="$REPLY"
  fi
  if [[ ! "$region" =~ ^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$ ]] ||
    ! keydesk_read_metadata "$url" "$folder" "$session" "iam/security-credentials/$name" || ! keydesk_read_role "$folder"; then
    keydesk_no_agent_token "$folder" 'the metadata service of EC2' 'retry the job. If it fails again, set AWS_REGION'
    return 1
  fi
  secrets="$REPLY"
  sts="https://sts.$region.amazonaws.com"
  if [[ "$region" == cn-* ]]; then
    sts="$sts.cn"
  fi
  sts="${AWS_ENDPOINT_URL_STS:-$sts}"
  if ! keydesk_is_url "$sts"; then
    keydesk_error 'Keydesk: agent-token (aws): AWS_ENDPOINT_URL_STS must be an https URL.' '  What to do: unset AWS_ENDPOINT_URL_STS.'
    return 1
  fi
  keydesk_curl "${sts%/}/" "$folder" "$secrets" --config - --aws-sigv4 "aws:amz:$region:sts" \
    --header 'Content-Type: application/x-www-form-urlencoded' --data Action=GetWebIdentityToken --data Version=2011-06-15 \
    --data SigningAlgorithm=RS256 --data DurationSeconds=300 --data-urlencode "Audience.member.1=$KEYDESK_AGENT_AUDIENCE" \
    --connect-timeout 10 --max-time 30
  keydesk_take_answer "$folder"
  if [[ "$KEYDESK_STATUS" == 200 && "$REPLY" =~ $token ]]; then
    KEYDESK_AGENT_TOKEN="${BASH_REMATCH[1]}"
    return 0
  fi
  code=''
  if [[ "$REPLY" =~ $error ]]; then
    code=" ${BASH_REMATCH[1]}"
  fi
  keydesk_error "Keydesk: agent-token (aws): STS returned no token ($(keydesk_outcome "$folder")$code)." \
    '  What to do: enable outbound identity federation for the account, and allow the role sts:GetWebIdentityToken.'
  return 1
}

# keydesk_read_metadata URL FOLDER SESSION PATH: sets REPLY to what is there.
keydesk_read_metadata() {
  keydesk_curl "$1/latest/meta-data/$4" "$2" "$3" --header @- --connect-timeout 5 --max-time 10
  if [[ "$4" != iam/security-credentials/?* ]]; then
    keydesk_take_answer "$2"
  fi
  return 0
}

# keydesk_read_role FOLDER: sets REPLY to lines of curl's configuration with the credentials of the role.
keydesk_read_role() {
  local +x key secret session
  local text='^"[A-Za-z0-9/+=]+"$'
  # The service writes a member a line.
  keydesk_take_answer "$1"
  [[ "$KEYDESK_STATUS" == 200 ]] || return 1
  printf '%s' "$REPLY" | tr '\n\r\t' '   ' >"$1/role"
  key="$(keydesk_json AccessKeyId "$1/role")"
  secret="$(keydesk_json SecretAccessKey "$1/role")"
  session="$(keydesk_json Token "$1/role")"
  rm -f -- "$1/role"
  [[ "$key" =~ $text && "$secret" =~ $text && "$session" =~ $text ]] || return 1
  REPLY="user = ${key%\"}:${secret#\"}"$'\n'"header = \"X-Amz-Security-Token: ${session#\"}"$'\n'
}

# keydesk_take_answer FOLDER: sets REPLY to the response's body, and removes it from the disk.
keydesk_take_answer() {
  REPLY="$(head -c 20480 -- "$1/answer" 2>/dev/null | tr -d '\000')"
  rm -f -- "$1/answer"
}

# keydesk_is_metadata_url URL VARIABLE: whether it is a metadata service's: on a link of this machine alone. Fails with a message.
keydesk_is_metadata_url() {
  local here='^http://(169\.254\.169\.254|\[fd00:ec2::254\]|\[fd20:ce::254\]|metadata\.google\.internal|127\.0\.0\.1|localhost)(:[0-9]{1,5})?$'
  if [[ "$1" =~ $here ]]; then
    return 0
  fi
  keydesk_error "Keydesk: agent-token ($KEYDESK_AGENT_FROM): $2 names no metadata service of this machine." "  What to do: unset $2."
  return 1
}

# keydesk_no_agent_token FOLDER WHO WHAT-TO-DO
keydesk_no_agent_token() {
  keydesk_error "Keydesk: agent-token ($KEYDESK_AGENT_FROM): $2 returned no token ($(keydesk_outcome "$1"))." \
    "  What to do: $3."
}
