# shellcheck shell=bash
# shellcheck disable=SC2154 # what it reads is set in deploy.sh and options.sh
# What is shown before anything is run, how it is run, and what is left to a person afterwards.

print_plan() {
  local name
  if [[ -s $work/told ]]; then
    echo 'Who gets what:'
    sort -u "$work/told" | awk -F '\t' '$1 != last { print "  " $1; last = $1 } { print "    " $2 " on " $3 }'
    echo "The desk's own roles hold:"
    sort -u "$work/roles" | awk -F '\t' '{ print "  " $1 ": " $2 }'
    echo
  fi
  echo "The plan, $(wc -l <"$work/plan" | tr -d ' ') commands; those of gcloud are run with --quiet after them:"
  for name in "${sections[@]}"; do
    if ! grep -q "^$name"$'\t' "$work/plan"; then continue; fi
    echo
    echo "# $(heading "$name")"
    in_section "$name" | sed 's/^/  /'
  done
  print_warnings
}

print_warnings() {
  [[ ! -s $work/warnings ]] || { echo && sed 's/^\([^ ]\)/Warning: \1/' "$work/warnings"; }
}

in_section() { # SECTION: its commands
  awk -v section="$1" 'index($0, section "\t") == 1 { print substr($0, length(section) + 2) }' "$work/plan"
}

run_plan() {
  local name command run=0 plan=()
  for name in "${sections[@]}"; do
    while IFS= read -r command; do plan+=("$command"); done < <(in_section "$name")
  done
  for command in "${plan[@]}"; do
    echo "[$((run + 1))/${#plan[@]}] $command"
    if ! run_command "$command"; then
      advise "$command"
      stop "stopped at command $((run + 1)) of ${#plan[@]}; $run were run. Mend what it says above and run this again: what is done is skipped."
    fi
    run=$((run + 1))
  done
  echo "Done: $run commands."
}

run_command() { # COMMAND; again when what was just created or switched on is not known everywhere yet
  local command=$1 left=6
  [[ $command != 'gcloud '* ]] || command+=' --quiet'
  until eval "$command" </dev/null 2>&1 | tee "$work/error"; do
    if [[ $1 == 'gcloud identity groups memberships add '* ]] && grep -qiE 'ALREADY_EXISTS|already exists' "$work/error"; then return; fi
    if ((left == 0)) || ! may_pass "$1"; then return 1; fi
    left=$((left - 1))
    echo "Not known everywhere yet, or changed meanwhile: once more in ${KEYDESK_DEPLOY_PAUSE:-10} seconds."
    sleep "${KEYDESK_DEPLOY_PAUSE:-10}"
  done
}

may_pass() { # COMMAND: whether $work/error is that of something too new, or changed by somebody else meanwhile
  if grep -qE 'SERVICE_DISABLED|has not been used in project' "$work/error"; then return; fi
  case $1 in
    *add-iam-policy-binding* | 'gcloud identity groups memberships add '* | */audit-logs.sh*) ;;
    *) return 1 ;;
  esac
  # Of an account that is not there Google says that you may not look at it.
  if [[ $1 =~ service-accounts\ add-iam-policy-binding\ ([^ ]+) ]] && grep -Fqx "account ${BASH_REMATCH[1]}" "$work/new" &&
    grep -q PERMISSION_DENIED "$work/error"; then return; fi
  grep -qiE 'does not exist|NOT_FOUND|concurrent policy changes' "$work/error"
}

advise() { # COMMAND: what to do about $work/error
  case $(cat "$work/error") in
    *PERMISSION_DENIED* | *'does not have permission'*) echo 'deploy.sh: you may not do that: ask for a role that allows it (deploy/gcloud/README.md lists them).' >&2 ;;
    *billing* | *BILLING*) echo "deploy.sh: the project needs billing: gcloud billing projects link $project --billing-account=ACCOUNT" >&2 ;;
    *'constraints/'*) echo "deploy.sh: an organization policy forbids that: ask your organization's administrators for an exception." >&2 ;;
  esac
  case $1 in
    *' org-policies '*) echo "deploy.sh: without rights in the organization say --no-org-policies, and have its administrators enforce both constraints." >&2 ;;
  esac
}

secret_command() { # SECRET
  # shellcheck disable=SC2016 # it is the reader's shell that expands it
  printf '  read -rs VALUE && printf %%s "$VALUE" | gcloud secrets versions add %s --project=%s --data-file=-\n' "$1" "$project"
}

print_next() {
  local group
  echo
  echo 'Next:'
  if [[ -z $webhook_tokens_version ]]; then
    echo "- In Buildkite, add a webhook: token mode signature, event job.finished, no branch filter, URL
    $(url_of webhook)
  Store the token that Buildkite shows: paste it after this command, which shows nothing and adds no newline,
$(secret_command keydesk-webhook-tokens)
  and run this again with --webhook-tokens-version and the number it prints. Only then the functions are deployed."
  else
    echo "- Save the webhook in Buildkite once more, for its ping: $(url_of webhook)
- A step that gets a credential, acme/keydesk being where you keep plugin/:
    plugins:
      - acme/keydesk#v$(facts version | cut -f 2):
          url: $(url_of token)
          audience: $(facts audience | cut -f 2)
          credentials: $(facts credential | head -n 1 | cut -f 2)"
  fi
  [[ -n $buildkite_api_token_version ]] || echo "- So that the sweep can ask for ends that no webhook told of: store an API token with read_builds and nothing else,
$(secret_command keydesk-buildkite-api-token)
  and run this again with --buildkite-api-token-version and the number it prints."
  for group in $(facts pooled | cut -f 4 | sort -u); do
    case " ${groups[*]-}" in
      *" $group="*) echo "- The roles of the group of $group: what a job with a pooled account may do, in the projects that jobs work on." ;;
      *) echo "- No --group $group=EMAIL: the pooled accounts of $group may do nothing but what you grant them yourself." ;;
    esac
  done
  [[ -n $org_policies ]] || echo "- Have iam.disableServiceAccountKeyCreation and iam.disableServiceAccountKeyUpload enforced in $(projects_without_keys)."
  [[ -n $audit_logs ]] || echo "- Data Access audit logs: $(facts audited | awk -F '\t' '{ printf "%s%s in %s", sep, $3, $2; sep = ", " }')."
  [[ -n $bucket_roles ]] || facts bucket | awk -F '\t' '{ print "- " $4 " on gs://" $3 " for " $2 "." }'
  [[ -z $webhook_tokens_version ]] || echo "- Monitoring: npm run monitoring -- --project $project --region $region --playbooks-url URL (deploy/monitoring/README.md), and the probe."
}

projects_without_keys() {
  { echo "$project" && projects 3 pooled; } | awk '{ printf "%s%s", sep, $0; sep = " and " }'
}
