# The claims of the job token, for a person who wants to know why a request was refused. Reads the token's payload only:
# neither the token nor its signature is printed.

# The claims that a policy can name, as they are in the token.
KEYDESK_CLAIM='^(pipeline_slug|pipeline_id|organization_id|build_(id|number|branch|tag|commit|source)|step_key|cluster_(id|name)|queue_(id|key)|runner_environment|agent_id|job_id|agent_tag:[A-Za-z0-9_.-]{1,128})$'

# keydesk_base64url TEXT: prints the bytes that it encodes. In the shell, since the tools that decode base64 differ.
keydesk_base64url() {
  local alphabet=ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_
  local at before bits=0 count=0 octal digits=''
  [[ "$1" =~ ^[A-Za-z0-9_-]*$ ]] || return 1
  for ((at = 0; at < ${#1}; at++)); do
    before="${alphabet%%"${1:at:1}"*}"
    bits=$(((bits << 6 | ${#before}) & 0xffff))
    count=$((count + 6))
    if ((count >= 8)); then
      count=$((count - 8))
      printf -v octal '\\0%03o' "$((bits >> count & 0xff))"
      digits+="$octal"
    fi
  done
  printf '%b' "$digits"
}

# keydesk_read_claims_of TOKEN FILE: sets KEYDESK_JOB_CLAIMS[] to the claims that a policy can name, NAME=VALUE each, fit
# for a log. FILE is for the payload.
keydesk_read_claims_of() {
  local payload="${1#*.}" member name value
  KEYDESK_JOB_CLAIMS=()
  # A payload of more than 4 KiB is none of Buildkite's.
  payload="${payload%%.*}"
  ((${#payload} <= 5500)) && keydesk_base64url "$payload" >"$2" && keydesk_read_members "$2" || return 1
  for member in "${KEYDESK_MEMBERS[@]}"; do
    name="${member%%=*}"
    name="${name#\"}"
    name="${name%\"}"
    value="${member#*=}"
    if [[ "$name" =~ $KEYDESK_CLAIM && "$value" != null && "$value" != '""' ]]; then
      KEYDESK_JOB_CLAIMS+=("$name=$(printf '%s' "$value" | keydesk_plain)")
    fi
  done
}

# keydesk_quote TEXT: prints it as one word for a shell.
keydesk_quote() {
  if [[ "$1" =~ ^[A-Za-z0-9_./:=@%+,-]+$ ]]; then
    printf '%s' "$1"
  else
    printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")"
  fi
}

# keydesk_report_claims NAME FOLDER: prints the job's claims, and the command that explains a decision by them.
keydesk_report_claims() {
  local claim command
  keydesk_read_claims_of "$KEYDESK_JOB_TOKEN" "$2/claims" && [[ ${#KEYDESK_JOB_CLAIMS[@]} -gt 0 ]] || return 0
  command="keydesk policy explain $1 --policy policy.yaml"
  keydesk_log '  Claims of this job:'
  for claim in ${KEYDESK_JOB_CLAIMS[@]+"${KEYDESK_JOB_CLAIMS[@]}"}; do
    keydesk_log "    $claim"
    command+=" --claim $(keydesk_quote "$claim")"
  done
  keydesk_log '  To see why, run this where the policy is:' "    $command"
}
