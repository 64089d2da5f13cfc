# Makes gcloud and gsutil keep their files in the step's own folder, which `pre-exit` removes. By default both write access
# tokens to the home of the agent's user, where the next job on that agent finds and uses them.
# Source: gcloud topic configurations, on CLOUDSDK_CONFIG; boto/pyami/config.py and gslib/utils/boto_util.py of gsutil, on
# BOTO_PATH, BOTO_CONFIG and the state_dir of [GSUtil].

# Makes the folders. gcloud's has the settings and logins of the agent's user, and no tokens.
keydesk_make_client_folders() {
  local folder="$KEYDESK_STEP_FOLDER/clients"
  if [[ -f "$folder/boto-path" ]]; then
    return 0
  fi
  mkdir -p "$folder/gcloud" "$folder/gsutil" || return 1
  keydesk_copy_gcloud_settings "${CLOUDSDK_CONFIG:-${HOME-}/.config/gcloud}" "$folder/gcloud"
  # The last file has precedence. Without BOTO_CONFIG and BOTO_PATH gsutil reads the first two.
  printf '[GSUtil]\nstate_dir = %s\n' "$folder/gsutil" >"$folder/boto" &&
    printf '%s' "${BOTO_CONFIG:-${BOTO_PATH:-/etc/boto.cfg:~/.boto}}:$folder/boto" >"$folder/boto-path"
}

# keydesk_copy_gcloud_settings FROM TO: files only, and not access_tokens.db, in which gcloud keeps tokens.
keydesk_copy_gcloud_settings() {
  local file name
  for file in "$1"/{active_config,properties,credentials.db,application_default_credentials.json} \
    "$1"/configurations/config_* "$1"/legacy_credentials/*/{adc.json,.boto}; do
    name="${file#"$1/"}"
    if [[ ! -f "$file" ]]; then
      continue
    fi
    if ! mkdir -p "$(dirname "$2/$name")" || ! cat -- "$file" >"$2/$name"; then
      keydesk_log "gcloud: could not copy $file; the step runs without it"
    fi
  done
}

# Prints what to export. gsutil ignores BOTO_PATH while BOTO_CONFIG is set.
keydesk_provide_client_folders() {
  local folder="$KEYDESK_STEP_FOLDER/clients"
  printf '%s\n' "CLOUDSDK_CONFIG=$folder/gcloud" "BOTO_PATH<$folder/boto-path"
  if [[ -n "${BOTO_CONFIG-}" ]]; then
    printf '%s\n' BOTO_CONFIG
  fi
  keydesk_log 'gcloud, gsutil: keep their state in a folder of this job (CLOUDSDK_CONFIG, BOTO_PATH)'
}
