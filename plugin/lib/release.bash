# Gives a step's grants back before the job ends (RFC 7009), all at once and in eight seconds at most: a cancelled job
# has ten. What could not be given back is ended by the webhook, and this says so.

# Gives back whatever the uses of the plugin in this step were handed out, and removes what they wrote.
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

# keydesk_release FOLDER...: whatever these uses of the plugin were handed out.
keydesk_release() {
  local use file scratch scratches=()
  for use in "$@"; do
    if [[ ! -d "$use" ]] || ! keydesk_is_own "$use"; then
      continue
    fi
    for file in "$use"/*.access-token; do
      # What the answer goes to is new: nothing that lies there already is written to.
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

# keydesk_release_one FILE SCRATCH: tells what came of it, and no more than is so: `released` only when the desk says
# it in words that are the desk's (RFC 7009, section 2.2, leaves the body open; the desk always names the request).
keydesk_release_one() {
  local name url answer left
  local +x token
  name="$(printf '%s' "${1##*/}" | keydesk_printable)"
  name="${name%.access-token}"
  if ! url="$(keydesk_read "${1%/*}/url")" || ! keydesk_is_url "$url" ||
    ! token="$(keydesk_read "$1")" || ! keydesk_is_token "$token"; then
    printf '%s: could not be released (its files were changed); the webhook will revoke it\n' "$name"
    return
  fi
  keydesk_post "$url/revoke" "$2" "$token" \
    --data-urlencode token@- --connect-timeout 2 --max-time 4 --retry 1 --retry-delay 1 --retry-max-time 3
  if [[ "$KEYDESK_STATUS" != 200 ]]; then
    printf '%s: could not be released (%s); the webhook will revoke it\n' "$name" "$(keydesk_outcome "$2")"
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
    *) printf '%s: could not be released (200, but not a response of Keydesk); the webhook will revoke it\n' "$name" ;;
  esac
}
