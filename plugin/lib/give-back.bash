# Gives a step's grants back before the job ends (RFC 7009), all at once and in eight seconds at most: a cancelled job
# has ten. What could not be given back is ended by the webhook, and this says so.

# Gives back whatever the uses of the plugin in this step were handed out, and removes what they wrote.
keydesk_end_step() {
  local folder uses=()
  keydesk_find_folders
  if [[ ${#KEYDESK_FOLDERS[@]} -eq 0 ]]; then
    return
  fi
  keydesk_say '~~~ :key: Keydesk: giving credentials back'
  for folder in "${KEYDESK_FOLDERS[@]}"; do
    if keydesk_is_own "$folder/private"; then
      uses+=("$folder"/private/*)
    fi
  done
  keydesk_give_back ${uses[@]+"${uses[@]}"}
  for folder in "${KEYDESK_FOLDERS[@]}"; do
    keydesk_remove_folder "$folder"
  done
}

# keydesk_give_back FOLDER...: whatever these uses of the plugin were handed out.
keydesk_give_back() {
  local use file scratch scratches=()
  for use in "$@"; do
    if [[ ! -d "$use" ]] || ! keydesk_is_own "$use"; then
      continue
    fi
    for file in "$use"/*.access-token; do
      # What the answer goes to is new: nothing that lies there already is written to.
      if [[ -f "$file" ]] && scratch="$(mktemp -d "$use/give-back-XXXXXXXXXX")"; then
        scratches+=("$scratch")
        keydesk_give_one_back "$file" "$scratch" >"$scratch/said" &
      fi
    done
  done
  wait
  for scratch in ${scratches[@]+"${scratches[@]}"}; do
    keydesk_say "$(cat "$scratch/said")"
  done
}

# keydesk_give_one_back FILE SCRATCH: tells what came of it, and no more than is so: `given back` only when the desk says
# it in words that are the desk's (RFC 7009, section 2.2, leaves the body open; the desk always names the request).
keydesk_give_one_back() {
  local name url answer left
  local +x token
  name="$(printf '%s' "${1##*/}" | keydesk_printable)"
  name="${name%.access-token}"
  if ! url="$(keydesk_read "${1%/*}/url")" || ! keydesk_is_url "$url" ||
    ! token="$(keydesk_read "$1")" || ! keydesk_is_token "$token"; then
    printf '%s: not given back (its files were changed); left to the webhook\n' "$name"
    return
  fi
  keydesk_post "$url/revoke" "$2" "$token" \
    --data-urlencode token@- --connect-timeout 2 --max-time 4 --retry 1 --retry-delay 1 --retry-max-time 3
  if [[ "$KEYDESK_STATUS" != 200 ]]; then
    printf '%s: not given back (%s); left to the webhook\n' "$name" "$(keydesk_what_came "$2")"
    return
  fi
  answer="$2/answer"
  case "$(keydesk_json error "$answer"):$(keydesk_json request_id "$answer"):$(keydesk_json revocation "$answer")" in
    :'"'?*'"': | :'"'?*'"':'"immediate"' | :'"'?*'"':'"propagating"')
      printf '%s: given back\n' "$name"
      ;;
    :'"'?*'"':'"expiry"')
      left="$(keydesk_member expires_in "$2/answer")"
      if [[ "$left" =~ ^[0-9]{1,6}$ ]]; then
        printf '%s: not renewed any more; the token itself works for another %s s\n' "$name" "$left"
      else
        printf '%s: not renewed any more; the token itself works until it expires\n' "$name"
      fi
      ;;
    *) printf '%s: not given back (200, but not in the words of a desk); left to the webhook\n' "$name" ;;
  esac
}
