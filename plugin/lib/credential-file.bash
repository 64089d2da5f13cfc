# Writes what Google's client libraries read: an external_account file that sends them to the desk, and the source of
# the job token that they show there. Every text in it is free of what JSON would have to escape: the configuration and
# the private folder see to that.
# Source: google-auth-library, baseexternalclient, identitypoolclient and pluggable-auth-client.

# keydesk_write_job_token_source FOLDER: what the files of this use of the plugin name as their source of job tokens.
keydesk_write_job_token_source() {
  if [[ "$KEYDESK_JOB_TOKEN_AS" == file ]]; then
    keydesk_fresh_job_token && keydesk_redact 'the job token' "$KEYDESK_JOB_TOKEN" || return 1
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
