# Gives a step's grants back before the job ends (RFC 7009), all at once and in eight seconds at most: a cancelled job
# has ten. What could not be given back is ended by the webhook, and this says so.

# keydesk_give_back FOLDER: whatever the uses of the plugin in this folder, or this one use of it, were handed out.
keydesk_give_back() {
  local token
  for token in "$1"/*.access-token "$1"/*/*.access-token; do
    if [[ -f "$token" ]]; then
      keydesk_give_one_back "$token" >"$token.said" &
    fi
  done
  wait
  for token in "$1"/*.access-token "$1"/*/*.access-token; do
    if [[ -f "$token" ]]; then
      keydesk_say "$(cat "$token.said")"
      rm -f -- "$token"
    fi
  done
}

# keydesk_give_one_back FILE: tells what came of it, and no more than is so.
keydesk_give_one_back() {
  local folder="$1.give-back" name="${1##*/}" left
  name="${name%.access-token}"
  mkdir -p "$folder"
  keydesk_post "$(cat "${1%/*}/url")/revoke" "$folder" "$(cat "$1")" \
    --data-urlencode token@- --connect-timeout 2 --max-time 4 --retry 1 --retry-delay 1 --retry-max-time 3
  if [[ "$KEYDESK_STATUS" != 200 ]]; then
    printf '%s: not given back (%s); left to the webhook\n' "$name" "$(keydesk_what_came "$folder")"
  elif [[ "$(keydesk_member revocation "$folder/answer")" == expiry ]]; then
    left="$(keydesk_member expires_in "$folder/answer")"
    printf '%s: not renewed any more; the token itself works for another %s s\n' "$name" "${left:-few}"
  else
    printf '%s: given back\n' "$name"
  fi
}
