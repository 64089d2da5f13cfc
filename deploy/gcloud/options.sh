# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read in the other parts, and the other way round
# What deploy.sh is asked for. Refuses what cannot be right before Google is asked anything.

usage() {
  cat <<'USAGE'
usage: deploy/gcloud/deploy.sh --project ID --region REGION --location LOCATION --policy FILE [options]
  --project ID                      the desk's own project; it exists and has billing
  --region REGION                   of the functions, such as europe-west1
  --location LOCATION               of the ledger's database, for good, such as eur3
  --policy FILE                     the policy that the archives were packaged with
  --archives FOLDER                 what npm run package made; default packages
  --database ID                     the ledger's database; default keydesk
  --scheduler-region REGION         where Cloud Scheduler is not offered in --region
  --webhook-tokens-version N        of the secret; without it the functions are not deployed yet
  --buildkite-api-token-version N   of the secret; without it the clock alone ends what no webhook ended
  --rules PROJECT/DATABASE=FILE     the security rules of a data database, made by npm run rules; for each one, or
  --rules-elsewhere PROJECT/DATABASE   the generated rules are deployed by other means
  --group ENVIRONMENT=EMAIL         the group that this environment's pooled accounts join; its roles are yours
  --operator MEMBER                 who may throw the kill switch, such as group:oncall@acme.example
  --create-policy-accounts          create signers and shared accounts that are not there
  --no-org-policies                 leave service account keys as they are: no organization policy
  --no-audit-logs                   leave Data Access audit logs as they are
  --no-bucket-roles                 leave the roles of shared accounts on the policy's buckets to you
  --dry-run                         show the plan, change nothing
  --yes                             do not ask
--rules, --rules-elsewhere, --group and --operator may be given several times.
USAGE
}

stop() { # MESSAGE [EXIT CODE]
  echo "deploy.sh: $1" >&2
  exit "${2:-1}"
}

project='' region='' location='' policy='' archives=packages database=keydesk scheduler_region=''
webhook_tokens_version='' buildkite_api_token_version='' create_policy_accounts='' dry_run='' yes=''
org_policies=1 audit_logs=1 bucket_roles=1
rules=() rules_elsewhere=() groups=() operators=()

read_options() {
  local name
  while (($# > 0)); do
    case $1 in
      --help) usage && exit 0 ;;
      --dry-run) dry_run=1 ;;
      --yes) yes=1 ;;
      --create-policy-accounts) create_policy_accounts=1 ;;
      --no-org-policies) org_policies='' ;;
      --no-audit-logs) audit_logs='' ;;
      --no-bucket-roles) bucket_roles='' ;;
      --project | --region | --location | --policy | --archives | --database | --scheduler-region | --webhook-tokens-version | \
        --buildkite-api-token-version | --rules | --rules-elsewhere | --group | --operator)
        (($# > 1)) || stop "$1 needs a value" 2
        [[ $2 != *$'\n'* && $2 != *$'\t'* ]] || stop "$1 must be one line, without tabs" 2
        name=${1#--}
        case $name in
          rules) rules+=("$2") ;;
          rules-elsewhere) rules_elsewhere+=("$2") ;;
          group) groups+=("$2") ;;
          operator) operators+=("$2") ;;
          *) printf -v "${name//-/_}" '%s' "$2" ;;
        esac
        shift
        ;;
      *) usage >&2 && stop "unknown option $1" 2 ;;
    esac
    shift
  done
}

must_match() { # OPTION VALUE REGEX WHAT
  [[ $2 =~ ^($3)$ ]] || stop "$1 must be $4${2:+; \"$2\" is not}" 2
}

check_options() {
  local each address='[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+' region_name='[a-z]+-[a-z]+[0-9]+'
  must_match --project "$project" '[a-z][a-z0-9-]{4,28}[a-z0-9]' 'a Google Cloud project ID'
  must_match --region "$region" "$region_name" 'a region such as europe-west1'
  scheduler_region=${scheduler_region:-$region}
  must_match --scheduler-region "$scheduler_region" "$region_name" 'a region such as europe-west1'
  must_match --location "$location" "[a-z]+[0-9]+|$region_name" 'a Firestore location such as eur3'
  must_match --database "$database" '[a-z][a-z0-9-]{2,61}[a-z0-9]' 'a database ID of its own, not (default)'
  must_match --webhook-tokens-version "${webhook_tokens_version:-1}" '[1-9][0-9]*' 'a version number'
  must_match --buildkite-api-token-version "${buildkite_api_token_version:-1}" '[1-9][0-9]*' 'a version number'
  for each in ${rules[@]+"${rules[@]}"}; do
    must_match --rules "$each" '[a-z0-9.:-]+/(\(default\)|[a-z0-9-]+)=.+' 'PROJECT/DATABASE=FILE'
  done
  for each in ${groups[@]+"${groups[@]}"}; do
    must_match --group "$each" "[a-z0-9-]+=$address" 'ENVIRONMENT=EMAIL'
  done
  for each in ${operators[@]+"${operators[@]}"}; do
    must_match --operator "$each" "(group|user|serviceAccount):$address" 'a member such as group:oncall@acme.example'
  done
  [[ -f $policy ]] || stop '--policy must be a policy file' 2
  command -v gcloud >/dev/null || stop 'gcloud is not on PATH: https://cloud.google.com/sdk/docs/install'
}

read_facts() { # leaves in $work/facts what the policy, the packages and firestore.indexes.json say: see facts.ts
  local each asked=(--policy "$policy" --project "$project" --database "$database" --archives "$archives")
  for each in ${rules[@]+"${rules[@]}"}; do asked+=(--rules "$each"); done
  for each in ${rules_elsewhere[@]+"${rules_elsewhere[@]}"}; do asked+=(--rules-elsewhere "$each"); done
  for each in ${groups[@]+"${groups[@]}"}; do asked+=(--group "$each"); done
  "$node" "$here/facts.ts" "${asked[@]}" >"$work/facts" || stop 'this cannot be deployed; see above. Google was not asked anything' 2
}

facts() { # KIND: its lines
  awk -F '\t' -v kind="$1" '$1 == kind' "$work/facts"
}

projects() { # COLUMN KIND...: each project that stands in that column of these facts, once
  local column=$1 kind
  shift
  for kind in "$@"; do facts "$kind"; done | awk -F '\t' -v column="$column" '$column != "-" && !($column in seen) { seen[$column]; print $column }'
}
