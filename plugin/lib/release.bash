# Releases a step's grants (RFC 7009) before the job ends: all at the same time, in eight seconds at most, since a cancelled
# job has ten. For each it says what happened. Keydesk ends the others when it learns of the job's end.

# Releases all grants of the step, and removes the files of the plugin.
keydesk_end_step() {
  local folder uses=()
  keydesk_find_folders
  if [[ ${#KEYDESK_FOLDERS[@]} -eq 0 ]]; then
    return
  fi
  keydesk_log '~~~ :key: Keydesk: releasing credentials'
  for folder in "${KEYDESK_FOLDERS[@]}"; do
    if keydesk_is_own "$folder/private"; then
      uses+=("$folder"/private/*)
    fi
  done
  keydesk_release ${uses[@]+"${uses[@]}"}
  for folder in "${KEYDESK_FOLDERS[@]}"; do
    keydesk_remove_folder "$folder"
  done
}

# keydesk_release FOLDER...: releases what these uses of the plugin received.
keydesk_release() {
  local use file scratch scratches=()
  for use in "$@"; do
    if [[ ! -d "$use" ]] || ! keydesk_is_own "$use"; then
      continue
    fi
    for file in "$use"/*.access-token; do
      # The response goes into a new folder, so that no existing file is overwritten.
      if [[ -f "$file" ]] && scratch="$(mktemp -d "$use/release-XXXXXXXXXX")"; then
        scratches+=("$scratch")
        keydesk_release_one "$file" "$scratch" >"$scratch/said" &
      fi
    done
  done
  wait
  for scratch in ${scratches[@]+"${scratches[@]}"}; do
    keydesk_log "$(cat "$scratch/said")"
  done
}

# keydesk_release_one FILE SCRATCH: prints what happened. It prints `released` only when the response is one of Keydesk's:
# RFC 7009, section 2.2, leaves the body open, and Keydesk's always has the request's ID.
keydesk_release_one() {
  local name url answer left
  local +x token
  name="$(printf '%s' "${1##*/}" | keydesk_printable)"
  name="${name%.access-token}"
  if ! url="$(keydesk_read "${1%/*}/url")" || ! keydesk_is_url "$url" ||
    ! token="$(keydesk_read "$1")" || ! keydesk_is_token "$token"; then
    keydesk_not_released "$name" 'its files were changed' "$1"
    return
  fi
  keydesk_post "$url/revoke" "$2" "$token" \
    --data-urlencode token@- --connect-timeout 2 --max-time 4 --retry 1 --retry-delay 1 --retry-max-time 3
  if [[ "$KEYDESK_STATUS" != 200 ]]; then
    keydesk_not_released "$name" "$(keydesk_outcome "$2")" "$1"
    return
  fi
  answer="$2/answer"
  case "$(keydesk_json error "$answer"):$(keydesk_json request_id "$answer"):$(keydesk_json revocation "$answer")" in
    :'"'?*'"': | :'"'?*'"':'"immediate"' | :'"'?*'"':'"propagating"')
      printf '%s: released\n' "$name"
      ;;
    :'"'?*'"':'"expiry"')
      left="$(keydesk_member expires_in "$2/answer")"
      if [[ "$left" =~ ^[0-9]{1,6}$ ]]; then
        printf '%s: will not be renewed; the token works for another %s s\n' "$name" "$left"
      else
        printf '%s: will not be renewed; the token works until it expires\n' "$name"
      fi
      ;;
    *) keydesk_not_released "$name" '200, but not a response of Keydesk' "$1" ;;
  esac
}

# keydesk_not_released NAME CAUSE FILE: prints what ends the access instead.
keydesk_not_released() {
  local then="Keydesk will end it when it learns of the job's end"
  keydesk_read_grant "${3%.access-token}.grant"
  case "$KEYDESK_REVOCATION" in
    immediate | propagating) then="Keydesk will revoke it when it learns of the job's end" ;;
    expiry) then='the token works until it expires' ;;
  esac
  printf '%s: could not be released (%s); %s\n' "$1" "$2" "$then"
}
