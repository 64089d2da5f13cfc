# Writes what Google's client libraries read: an external_account file that sends them to the desk, and the source of
# the job token that they show there. Every text in it is free of what JSON would have to escape: the configuration and
# the private folder see to that.
# Source: google-auth-library, baseexternalclient, identitypoolclient and pluggable-auth-client.

# keydesk_write_credential_files FOLDER PLACE: writes into FOLDER, which will be found at PLACE, what this use of the
# plugin names in variables, and their source of job tokens.
keydesk_write_credential_files() {
  local number
  keydesk_write_job_token_source "$1" || return 1
  for ((number = 0; number < ${#KEYDESK_NAMES[@]}; number++)); do
    if [[ -n "${KEYDESK_FILES[number]}" ]]; then
      keydesk_write_credential_file "$1" "$2" "${KEYDESK_NAMES[number]}" || return 1
    fi
  done
}

# keydesk_write_job_token_source FOLDER: the job token that keydesk_provide has, or the script that asks for one.
keydesk_write_job_token_source() {
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    # Without a newline: the libraries send the file's content as it is.
    printf '%s' "$KEYDESK_JOB_TOKEN" >"$1/job-token"
    return
  fi
  cat -- "${BASH_SOURCE[0]%/*}/../bin/job-token" >"$1/job-token" &&
    printf '%s' "$KEYDESK_AUDIENCE" >"$1/audience" &&
    printf '%s\n' "${KEYDESK_CLAIMS[@]}" >"$1/claims"
}

# keydesk_write_credential_file FOLDER PLACE NAME: writes it into FOLDER, which will be found at PLACE.
keydesk_write_credential_file() {
  # Through /bin/sh, because many a TMPDIR is mounted noexec.
  local source='"executable": { "command": "/bin/sh '"$2"'/job-token", "timeout_millis": 30000 }'
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    source='"file": "'"$2"'/job-token"'
  fi
  cat >"$1/$3.json" <<JSON
{
  "type": "external_account",
  "universe_domain": "googleapis.com",
  "audience": "$3",
  "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
  "token_url": "$KEYDESK_URL/token",
  "token_info_url": "$KEYDESK_URL/introspect",
  "credential_source": { $source }
}
JSON
}
