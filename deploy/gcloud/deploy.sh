#!/usr/bin/env bash
# Deploys Keydesk's core without Terraform: APIs, ledger, identities and what they may do, secrets, functions, scheduler.
# It looks at what is there, shows every command it would run, and runs them once that is confirmed. What is already there is
# left alone, so it is safe to repeat; it stops at the first error. It never deletes, and never sees a secret's value.
# What it leaves to you (README.md beside it): security rules, groups, organization policy, audit logs, monitoring.

set -euo pipefail

usage() {
  cat <<'USAGE'
usage: deploy/gcloud/deploy.sh --project ID --region REGION --location LOCATION --policy FILE [options]
  --project ID                      the desk's own project; it exists and has billing
  --region REGION                   of the functions and the scheduler, such as europe-west1
  --location LOCATION               of the ledger's database, for good, such as eur3
  --policy FILE                     the policy that the archives were packaged with
  --archives FOLDER                 what npm run package made; default packages
  --database ID                     the ledger's database; default keydesk
  --webhook-tokens-version N        of the secret; without it the functions are not deployed yet
  --buildkite-api-token-version N   of the secret; without it the clock alone ends what no webhook ended
  --dry-run                         show the plan, change nothing
  --yes                             do not ask
USAGE
}

stop() { # MESSAGE [EXIT CODE]
  echo "deploy.sh: $1" >&2
  exit "${2:-1}"
}

project='' region='' location='' policy='' archives=packages database=keydesk
webhook_tokens_version='' buildkite_api_token_version='' dry_run='' yes=''
while (($# > 0)); do
  case $1 in
    --dry-run) dry_run=1 ;;
    --yes) yes=1 ;;
    --help) usage && exit 0 ;;
    --project | --region | --location | --policy | --archives | --database | --webhook-tokens-version | --buildkite-api-token-version)
      (($# > 1)) || stop "$1 needs a value" 2
      name=${1#--}
      printf -v "${name//-/_}" '%s' "$2"
      shift
      ;;
    *) usage >&2 && stop "unknown option $1" 2 ;;
  esac
  shift
done

must_match() { # OPTION VALUE REGEX WHAT
  [[ $2 =~ ^($3)$ ]] || stop "$1 must be $4${2:+; \"$2\" is not}" 2
}
must_match --project "$project" '[a-z][a-z0-9-]{4,28}[a-z0-9]' 'a Google Cloud project ID'
must_match --region "$region" '[a-z]+-[a-z]+[0-9]+' 'a region such as europe-west1'
must_match --location "$location" '[a-z]+[0-9]+|[a-z]+-[a-z]+[0-9]+' 'a Firestore location such as eur3'
must_match --database "$database" '[a-z][a-z0-9-]{2,61}[a-z0-9]' 'a database ID of its own, not (default)'
must_match --webhook-tokens-version "${webhook_tokens_version:-1}" '[1-9][0-9]*' 'a version number'
must_match --buildkite-api-token-version "${buildkite_api_token_version:-1}" '[1-9][0-9]*' 'a version number'
[[ -f $policy ]] || stop '--policy must be a policy file' 2
for name in token webhook sweep; do
  [[ -f $archives/$name.zip ]] || stop "$archives/$name.zip is missing: run npm run package -- --policy $policy --out $archives" 2
done
command -v gcloud >/dev/null || stop 'gcloud is not on PATH: https://cloud.google.com/sdk/docs/install'

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
node=$root/node_modules/.bin/node
[[ -x $node ]] || node=node
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$node" "$root/deploy/gcloud/facts.ts" "$policy" >"$work/facts" || stop "$policy is not a policy that could be deployed; see above"

facts() { # KIND: its lines
  awk -F '\t' -v kind="$1" '$1 == kind' "$work/facts"
}

# Looking

plan=()
step() { # COMMAND...: one that the plan runs
  local command
  printf -v command '%q ' "$@"
  plan+=("${command% }")
}

look() { # COMMAND...: leaves in $work/answer what is there, nothing if it is not; anything else that goes wrong ends it all
  if gcloud "$@" --quiet >"$work/answer" 2>"$work/error" </dev/null; then return; fi
  : >"$work/answer"
  if ! grep -qiE 'NOT_FOUND|not found|does not exist|could not be found|SERVICE_DISABLED|has not been used in project|not enabled' "$work/error"; then
    cat "$work/error" >&2
    stop "could not look at what is there (gcloud $1 $2 $3): nothing was changed"
  fi
}

there() { # COMMAND...
  look "$@"
  [[ -s $work/answer ]]
}

bindings() { # FILE COMMAND...: of an IAM policy, as ROLE, MEMBER and the condition's title
  look "${@:2}" --flatten='bindings[].members' --format='value(bindings.role,bindings.members,bindings.condition.title)'
  cp "$work/answer" "$1"
}

bound() { # FILE ROLE MEMBER [TITLE]
  awk -F '\t' -v role="$2" -v member="$3" -v title="${4:-}" \
    '$1 == role && $2 == member && $3 == title { found = 1 } END { exit !found }' "$1"
}

plan_apis() { # PROJECT API...
  local of=$1 api missing=()
  shift
  look services list --enabled --project="$of" --format='value(config.name)'
  for api in "$@"; do
    grep -qx "$api.googleapis.com" "$work/answer" || missing+=("$api.googleapis.com")
  done
  ((${#missing[@]} == 0)) || step gcloud services enable "${missing[@]}" --project="$of"
}

plan_account() { # EMAIL DISPLAY-NAME PROJECT
  there iam service-accounts describe "$1" --project="$3" --format='value(email)' ||
    step gcloud iam service-accounts create "${1%%@*}" --project="$3" --display-name="$2"
}

plan_role() { # ID TITLE PERMISSIONS PROJECT
  there iam roles describe "$1" --project="$4" --format='value(name)' ||
    step gcloud iam roles create "$1" --project="$4" --title="$2" --permissions="$3" --stage=GA
}

plan_on_project() { # PROJECT ROLE MEMBER [TITLE EXPRESSION]
  local condition=None
  [[ -z ${4:-} ]] || condition="expression=$5,title=$4"
  [[ -f $work/policy-$1 ]] || bindings "$work/policy-$1" projects get-iam-policy "$1"
  bound "$work/policy-$1" "$2" "$3" "${4:-}" ||
    step gcloud projects add-iam-policy-binding "$1" --role="$2" --member="$3" --condition="$condition" --format=none
}

plan_on_database() { # PROJECT DATABASE FUNCTION
  plan_on_project "$1" roles/datastore.user "$(member "$3")" "keydesk $2 only" "resource.name == \"projects/$1/databases/$2\""
}

plan_on() { # ROLE MEMBER GROUP... -- RESOURCE...: on anything with a policy of its own
  local role=$1 member=$2 group=()
  shift 2
  while [[ $1 != -- ]]; do
    group+=("$1")
    shift
  done
  shift
  bindings "$work/bindings" "${group[@]}" get-iam-policy "$@"
  bound "$work/bindings" "$role" "$member" || step gcloud "${group[@]}" add-iam-policy-binding "$@" --role="$role" --member="$member" --format=none
}

account() { echo "keydesk-$1@$project.iam.gserviceaccount.com"; }
member() { echo "serviceAccount:$(account "$1")"; }

# What there should be

plan_projects() {
  local of
  plan_apis "$project" artifactregistry cloudbuild cloudfunctions cloudscheduler firestore iam iamcredentials logging run secretmanager storage sts
  for of in $(facts database | cut -f 2 | sort -u); do plan_apis "$of" firebaserules firestore identitytoolkit; done
  for of in $(facts pooled | cut -f 3 | sort -u); do plan_apis "$of" iam; done
}

fields_of() { # exempt|ttl own|grants: of the ledger's collections, or of the grant documents
  facts "$1" | awk -F '\t' -v set="$2" '($2 == "keydesk_grants") == (set == "grants")'
}

plan_fields() { # PROJECT DATABASE own|grants
  local of=(--project="$1" --database="$2") group field
  look firestore indexes fields list "${of[@]}" --format='value(name)'
  cp "$work/answer" "$work/exempt"
  look firestore fields ttls list "${of[@]}" --format='value(name)'
  cp "$work/answer" "$work/ttl"
  while IFS=$'\t' read -r _ group field; do
    grep -q "/collectionGroups/$group/fields/$field\$" "$work/exempt" ||
      step gcloud firestore indexes fields update "$field" --collection-group="$group" "${of[@]}" --disable-indexes --async
  done < <(fields_of exempt "$3")
  while IFS=$'\t' read -r _ group field; do
    grep -q "/collectionGroups/$group/fields/$field\$" "$work/ttl" ||
      step gcloud firestore fields ttls update "$field" --collection-group="$group" "${of[@]}" --enable-ttl --async
  done < <(fields_of ttl "$3")
}

plan_ledger() {
  local group fields field configs known
  there firestore databases describe --project="$project" --database="$database" --format='value(name)' ||
    step gcloud firestore databases create --project="$project" --database="$database" --location="$location" \
      --type=firestore-native --delete-protection --enable-pitr
  look firestore indexes composite list --project="$project" --database="$database" --format='value(name,fields[].fieldPath)'
  while IFS=$'\t' read -r _ group fields; do
    configs=() known=''
    for field in ${fields//,/ }; do
      configs+=("--field-config=field-path=${field%%:*},order=${field#*:}")
      known+="${field%%:*};"
    done
    grep -q "/collectionGroups/$group/indexes/[^/]*"$'\t'"$known" "$work/answer" ||
      step gcloud firestore indexes composite create --project="$project" --database="$database" --collection-group="$group" \
        --query-scope=collection "${configs[@]}" --async
  done < <(facts index)
  plan_fields "$project" "$database" own
}

plan_identities() {
  local name email of data
  for name in token webhook sweep scheduler build; do plan_account "$(account "$name")" "Keydesk: $name" "$project"; done
  while IFS=$'\t' read -r _ email of; do plan_account "$email" 'Keydesk pool' "$of"; done < <(facts pooled)
  for of in $(facts pooled | cut -f 3 | sort -u); do
    plan_role keydesk_disabler 'Keydesk: disable pooled accounts' iam.serviceAccounts.get,iam.serviceAccounts.disable "$of"
    plan_role keydesk_waker 'Keydesk: disable and wake pooled accounts' iam.serviceAccounts.get,iam.serviceAccounts.disable,iam.serviceAccounts.enable "$of"
  done
  for name in token webhook sweep; do
    plan_on_database "$project" "$database" "$name"
    while IFS=$'\t' read -r _ of data; do plan_on_database "$of" "$data" "$name"; done < <(facts database)
  done
  while IFS=$'\t' read -r _ email of; do
    [[ $of != - ]] || stop "$email does not tell its project: grant roles/iam.serviceAccountTokenCreator on it to $(account token) yourself"
    plan_on roles/iam.serviceAccountTokenCreator "$(member token)" iam service-accounts -- "$email" --project="$of"
  done < <(facts standing)
  while IFS=$'\t' read -r _ email of; do
    plan_on roles/iam.serviceAccountTokenCreator "$(member token)" iam service-accounts -- "$email" --project="$of"
    plan_on "projects/$of/roles/keydesk_disabler" "$(member token)" iam service-accounts -- "$email" --project="$of"
    plan_on "projects/$of/roles/keydesk_disabler" "$(member webhook)" iam service-accounts -- "$email" --project="$of"
    plan_on "projects/$of/roles/keydesk_waker" "$(member sweep)" iam service-accounts -- "$email" --project="$of"
  done < <(facts pooled)
}

plan_secrets() {
  local name
  for name in webhook-tokens buildkite-api-token; do
    there secrets describe "keydesk-$name" --project="$project" --format='value(name)' ||
      step gcloud secrets create "keydesk-$name" --project="$project" --replication-policy=automatic
  done
  plan_on roles/secretmanager.secretAccessor "$(member webhook)" secrets -- keydesk-webhook-tokens --project="$project"
  plan_on roles/secretmanager.secretAccessor "$(member sweep)" secrets -- keydesk-buildkite-api-token --project="$project"
}

bucket=gs://$project-keydesk-archives
images=projects/$project/locations/$region/repositories/keydesk-functions

plan_build() {
  there storage buckets describe "$bucket" --format='value(name)' ||
    step gcloud storage buckets create "$bucket" --project="$project" --location="$region" --uniform-bucket-level-access --public-access-prevention
  there artifacts repositories describe keydesk-functions --project="$project" --location="$region" --format='value(name)' ||
    step gcloud artifacts repositories create keydesk-functions --project="$project" --location="$region" --repository-format=docker
  plan_on_project "$project" roles/logging.logWriter "$(member build)"
  plan_on_project "$project" roles/storage.objectViewer "$(member build)" 'keydesk build sources only' \
    "resource.name.startsWith(\"projects/_/buckets/gcf-v2-sources-$number-$region\")"
  plan_on roles/storage.objectViewer "$(member build)" storage buckets -- "$bucket"
  plan_on roles/artifactregistry.writer "$(member build)" artifacts repositories -- keydesk-functions --project="$project" --location="$region"
}

plan_function() { # NAME OPTION...
  local name=$1 hash archive command deployed
  shift
  hash=$(sha256sum "$archives/$name.zip" | cut -d ' ' -f 1)
  archive=$bucket/$name-$hash.zip
  there storage objects describe "$archive" --format='value(name)' || step gcloud storage cp "$archives/$name.zip" "$archive"
  command=(gcloud functions deploy "keydesk-$name" --project="$project" --region="$region" --gen2 --runtime=nodejs24
    --entry-point="$name" --source="$archive" --trigger-http --no-allow-unauthenticated
    --run-service-account="$(account "$name")"
    --build-service-account="projects/$project/serviceAccounts/$(account build)" --docker-repository="$images" "$@")
  # A label has room for 63 characters: enough of the hash to tell what is deployed, settings and archive.
  deployed=$(printf '%q ' "${command[@]}" | sha256sum | cut -c 1-40)
  look functions describe "keydesk-$name" --project="$project" --region="$region" --format='value(labels.keydesk_deployed)'
  grep -qx "$deployed" "$work/answer" ||
    step "${command[@]}" --update-labels="keydesk_deployed=$deployed"
}

plan_functions() {
  local settings=NODE_ENV=production,GOOGLE_CLOUD_PROJECT=$project,KEYDESK_DATABASE=$database secrets=--clear-secrets name url
  plan_function token --memory=512Mi --cpu=1 --concurrency=40 --min-instances=1 --max-instances=20 --timeout=30s \
    --ingress-settings=all --set-env-vars="$settings,KEYDESK_POLICY=policy.yaml" --clear-secrets
  plan_function webhook --memory=512Mi --cpu=1 --concurrency=40 --min-instances=1 --max-instances=10 --timeout=30s \
    --ingress-settings=all --set-env-vars="$settings" --set-secrets="KEYDESK_WEBHOOK_TOKENS=keydesk-webhook-tokens:$webhook_tokens_version"
  [[ -z $buildkite_api_token_version ]] || secrets="--set-secrets=KEYDESK_BUILDKITE_API_TOKEN=keydesk-buildkite-api-token:$buildkite_api_token_version"
  plan_function sweep --memory=512Mi --cpu=1 --concurrency=1 --min-instances=0 --max-instances=1 --timeout=120s \
    --ingress-settings=internal-only --set-env-vars="$settings" "$secrets"
  for name in token webhook; do plan_on roles/run.invoker allUsers run services -- "keydesk-$name" --project="$project" --region="$region"; done
  plan_on roles/run.invoker "$(member scheduler)" run services -- keydesk-sweep --project="$project" --region="$region"
  url=https://keydesk-sweep-$number.$region.run.app
  there scheduler jobs describe keydesk-sweep --project="$project" --location="$region" --format='value(name)' ||
    step gcloud scheduler jobs create http keydesk-sweep --project="$project" --location="$region" --schedule='* * * * *' \
      --time-zone=Etc/UTC --uri="$url" --http-method=post --attempt-deadline=130s --max-retry-attempts=0 \
      --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$url"
}

echo 'Looking at what is there...' >&2
look projects describe "$project" --format='value(projectNumber)'
number=$(cat "$work/answer")
[[ $number =~ ^[0-9]+$ ]] || stop "project $project was not found: create it, give it billing, and log in with gcloud auth login"
plan_projects
plan_ledger
while IFS=$'\t' read -r _ of data; do plan_fields "$of" "$data" grants; done < <(facts database)
plan_identities
plan_secrets
plan_build
[[ -z $webhook_tokens_version ]] || plan_functions

# Showing, asking, running

next() {
  if [[ -z $webhook_tokens_version ]]; then
    echo "Next: in Buildkite, add a webhook (token mode signature, event job.finished, no branch filter) with the URL
  https://keydesk-webhook-$number.$region.run.app
then store its token, and run this again with --webhook-tokens-version and the number it prints:
  gcloud secrets versions add keydesk-webhook-tokens --project=$project --data-file=-"
  else
    echo "Jobs ask https://keydesk-token-$number.$region.run.app for credentials; Buildkite's webhook goes to
  https://keydesk-webhook-$number.$region.run.app"
  fi
}

if ((${#plan[@]} == 0)); then
  echo 'Everything is there: nothing to do.'
  next
  exit 0
fi
echo "The plan, ${#plan[@]} commands:"
printf '  %s\n' "${plan[@]}"
[[ -z $dry_run ]] || exit 0
if [[ -z $yes ]]; then
  read -r -p 'Run them? Type yes: ' answer || answer=''
  [[ $answer == yes ]] || stop 'nothing was changed'
fi

done=0
for command in "${plan[@]}"; do
  echo "[$((done + 1))/${#plan[@]}] $command"
  if ! eval "$command --quiet" </dev/null 2>&1 | tee "$work/error"; then
    case $(cat "$work/error") in
      *PERMISSION_DENIED* | *'does not have permission'*) echo 'deploy.sh: you may not do that: ask for a role that allows it (deploy/gcloud/README.md lists them).' >&2 ;;
      *billing* | *BILLING*) echo "deploy.sh: the project needs billing: gcloud billing projects link $project --billing-account=ACCOUNT" >&2 ;;
      *'constraints/'*) echo "deploy.sh: an organization policy forbids that: ask your organization's administrators for an exception." >&2 ;;
    esac
    stop "stopped at command $((done + 1)) of ${#plan[@]}; $done were run. Mend what it says above and run this again: what is done is skipped."
  fi
  done=$((done + 1))
done
echo "Done: $done commands."
next
