# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read in the other parts, and the other way round
# Looking at what is there, and noting what is to be done. Nothing here changes anything.

sections=(apis keys created roles grants groups logs fields rules functions callers schedule)

heading() { # SECTION
  case $1 in
    apis) echo 'Services that are switched on' ;;
    keys) echo 'Service account keys, which are forbidden' ;;
    created) echo 'What is created' ;;
    roles) echo "Roles of the desk's own" ;;
    grants) echo 'Grants' ;;
    groups) echo 'Memberships' ;;
    logs) echo 'Data Access audit logs' ;;
    fields) echo 'Indexes, and fields that are not indexed or by which documents leave' ;;
    rules) echo 'Security rules: each is compared first, and left alone when it is in force' ;;
    functions) echo 'Functions: what ends grants comes before what hands them out' ;;
    callers) echo 'Who may call them' ;;
    schedule) echo 'The clock' ;;
    *) stop "no section $1" ;;
  esac
}

quote() { # WORD: leaves it in $quoted as a shell reads it, the value of a flag apart from the flag
  local flag='' word=$1 mark="'\\''"
  if [[ $word =~ ^--[a-z-]+= ]]; then
    flag=${BASH_REMATCH[0]}
    word=${word#"$flag"}
  fi
  case $word in
    '' | *[!A-Za-z0-9_@%+=:,./-]*) quoted=$flag\'${word//\'/"$mark"}\' ;;
    *) quoted=$flag$word ;;
  esac
}

step() { # SECTION COMMAND...: one that the plan runs
  local section=$1 word line=''
  shift
  for word in "$@"; do
    quote "$word"
    line+="$quoted "
  done
  printf '%s\t%s\n' "$section" "${line% }" >>"$work/plan"
}

warn() { # MESSAGE: stands under the plan
  echo "$1" >>"$work/warnings"
}

try_look() { # GROUP... VERB ARGUMENT...: leaves in $work/answer what is there, nothing if it cannot be said
  if gcloud "$@" --quiet >"$work/answer" 2>"$work/error" </dev/null; then return; fi
  : >"$work/answer"
  return 1
}

look() { # GROUP... VERB ARGUMENT...: leaves in $work/answer what is there, nothing if it is not; anything else that goes wrong ends it all
  if try_look "$@"; then return; fi
  if ! grep -qiE 'NOT_FOUND|not found|does not exist|could not be found|SERVICE_DISABLED|has not been used in project|not enabled' "$work/error"; then
    cat "$work/error" >&2
    stop "could not look at what is there (gcloud $1 $2 $3): nothing was changed${hint:+. $hint}"
  fi
}

there() { # GROUP... VERB ARGUMENT...
  look "$@"
  [[ -s $work/answer ]]
}

sha256() { # of standard input; macOS has no sha256sum
  "$node" -e 'process.stdout.write(require("node:crypto").createHash("sha256").update(require("node:fs").readFileSync(0)).digest("hex"))'
}

is_on() { # PROJECT API
  if [[ ! -f $work/apis-$1 ]]; then
    look services list --enabled --project="$1" --format='value(config.name)'
    cp "$work/answer" "$work/apis-$1"
  fi
  grep -Fqx "$2.googleapis.com" "$work/apis-$1"
}

account_is_there() { # EMAIL PROJECT
  if [[ ! -f $work/accounts-$2 ]]; then
    look iam service-accounts list --project="$2" --format='value(email)'
    cp "$work/answer" "$work/accounts-$2"
  fi
  grep -Fqx "$1" "$work/accounts-$2"
}

account() { echo "keydesk-$1@$project.iam.gserviceaccount.com"; }
member() { echo "serviceAccount:$(account "$1")"; }
