# Writes the files for Google's client libraries: an external_account file with Keydesk's URL, and the source of the job
# token that they send there. No text in it needs escapes in JSON: configuration.bash and private-folder.bash check that.
# Source: google-auth-library, baseexternalclient, identitypoolclient and pluggable-auth-client.

# keydesk_write_credential_files FOLDER PLACE: writes the credential files of this use of the plugin and their source of job
# tokens into FOLDER, which is moved to PLACE later.
keydesk_write_credential_files() {
  local number
  keydesk_write_job_token_source "$1" || return 1
  for ((number = 0; number < ${#KEYDESK_NAMES[@]}; number++)); do
    if [[ -n "${KEYDESK_FILES[number]}" ]]; then
      keydesk_write_credential_file "$1" "$2" "${KEYDESK_NAMES[number]}" || return 1
    fi
  done
}

# keydesk_write_job_token_source FOLDER: the job token itself, or the script that requests one.
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

# keydesk_write_credential_file FOLDER PLACE NAME: writes it into FOLDER, which is moved to PLACE later.
keydesk_write_credential_file() {
  # Through /bin/sh, because TMPDIR may be mounted noexec.
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
