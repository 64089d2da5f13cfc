#!/usr/bin/env bash
# Deploys Keydesk without Terraform: the same deployment, by gcloud. It looks at what is there, shows who gets what and every
# command it would run, and runs them once that is confirmed. What is already there is left alone, so it is safe to
# repeat; it stops at the first error. It deletes nothing, takes no right away, and never sees a secret's value.
# The parts beside it are read in here: options, looking, grants, and what is planned, by subject.

set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
# shellcheck source=deploy/gcloud/options.sh
. "$here/options.sh"
# shellcheck source=deploy/gcloud/look.sh
. "$here/look.sh"
# shellcheck source=deploy/gcloud/grants.sh
. "$here/grants.sh"
# shellcheck source=deploy/gcloud/projects.sh
. "$here/projects.sh"
# shellcheck source=deploy/gcloud/accounts.sh
. "$here/accounts.sh"
# shellcheck source=deploy/gcloud/ledger.sh
. "$here/ledger.sh"
# shellcheck source=deploy/gcloud/functions.sh
. "$here/functions.sh"
# shellcheck source=deploy/gcloud/show.sh
. "$here/show.sh"

read_options "$@"
check_options
node=$root/node_modules/.bin/node
[[ -x $node ]] || stop 'run npm ci in the repository first'
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in plan told roles warnings looked new bound wanted; do : >"$work/$name"; done
read_facts

echo 'Looking at what is there...' >&2
look projects describe "$project" --format='value(projectNumber)'
number=$(cat "$work/answer")
[[ $number =~ ^[0-9]+$ ]] || stop "project $project was not found: create it, give it billing, and log in with gcloud auth login"
plan_services
[[ -z $org_policies ]] || plan_no_keys
plan_accounts
plan_account_roles
plan_ledger
plan_data_databases
plan_minting
plan_operators
[[ -z $bucket_roles ]] || plan_bucket_roles
plan_groups
plan_secret webhook-tokens webhook
plan_secret buildkite-api-token sweep
plan_build
[[ -z $audit_logs ]] || plan_audit_logs
plan_rules
[[ -z $webhook_tokens_version ]] || plan_functions
warn_of_others

if [[ ! -s $work/plan ]]; then
  echo 'Everything is there: nothing to do.'
  print_warnings
  print_next
  exit 0
fi
print_plan
[[ -z $dry_run ]] || exit 0
if [[ -z $yes ]]; then
  read -r -p 'Run them? Type yes: ' answer || answer=''
  [[ $answer == yes ]] || stop 'nothing was changed'
fi
run_plan
print_next
