# Reads responses: headers, and the members of one JSON object. What is read may come from anybody; what is printed is fit
# for a log.

# keydesk_header NAME FILE: prints the value of the last header of that name.
keydesk_header() {
  { grep -i "^$1:" "$2" 2>/dev/null || true; } | tail -n 1 | cut -d : -f 2- | tr -cd 'A-Za-z0-9._-'
}

# keydesk_read_members FILE: reads one JSON object strictly (RFC 8259) and sets KEYDESK_MEMBERS[], `"NAME"=VALUE` each,
# with the value as it is in the JSON. Fails on anything else, on a name that comes twice, and on more than 20 KiB.
# A value may be a list or an object of one level; what is inside it is not read.
keydesk_read_members() {
  local text name known string number inside member
  string='"([^"\[:cntrl:]]|\\["\/bfnrt]|\\u[0-9A-Fa-f]{4})*"'
  number='-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?'
  inside='[^][{}[:cntrl:]]*'
  member="($string)[ ]*:[ ]*($string|$number|true|false|null|\\[$inside\\]|\\{$inside\\})[ ]*(,[ ]*|\\}[ ]*\$)"
  KEYDESK_MEMBERS=()
  text="$(head -c 20481 "$1" 2>/dev/null | tr '\000' '\001')"
  [[ "${text:0:1}" == '{' && ${#text} -le 20480 ]] || return 1
  text="${text:1}"
  while [[ "$text" =~ ^[\ ]*$member ]]; do
    name="${BASH_REMATCH[1]}"
    for known in ${KEYDESK_MEMBERS[@]+"${KEYDESK_MEMBERS[@]}"}; do
      [[ "$known" != "$name="* ]] || return 1
    done
    KEYDESK_MEMBERS+=("$name=${BASH_REMATCH[3]}")
    [[ "${BASH_REMATCH[8]}" == ,* ]] || return 0
    text="${text:${#BASH_REMATCH[0]}}"
  done
  return 1
}

# keydesk_json NAME FILE: prints the value of a member as it is in the JSON; nothing when there is none.
keydesk_json() {
  local member
  keydesk_read_members "$2" || return 0
  for member in "${KEYDESK_MEMBERS[@]}"; do
    if [[ "$member" == "\"$1\"="* ]]; then
      printf '%s' "${member#*=}"
    fi
  done
}

# keydesk_member NAME FILE: prints the value of a member in plain text, fit for a log.
keydesk_member() {
  keydesk_json "$1" "$2" | keydesk_plain
}

# Makes plain text of a JSON value, fit for a log.
keydesk_plain() {
  sed 's/^"//; s/"$//; s/\\u..../?/g; s/\\[bfnrt]/ /g; s/\\\(.\)/\1/g' | keydesk_printable
}

# keydesk_is_permanent FILE: whether Keydesk says that the same request fails again, whatever the status.
keydesk_is_permanent() {
  [[ "$(keydesk_json permanent "$1")" == true ]]
}

# keydesk_outcome FOLDER: prints the status and the error's name, or what curl reports.
keydesk_outcome() {
  local error
  if [[ "$KEYDESK_STATUS" == 000 ]]; then
    printf 'curl: (%s) ' "$KEYDESK_CURL"
    tail -n 1 "$1/complaint" 2>/dev/null | sed 's/^curl: ([0-9]*) //' | keydesk_printable
    return
  fi
  error="$(keydesk_member error "$1/answer")"
  printf '%s%s' "$KEYDESK_STATUS" "${error:+ $error}"
}
