#!/usr/bin/env bash
# deploy/terraform/grant-roles.sh: grants the roles that terraform apply and keydesk doctor --before-deploy need, and enables the APIs.
# It can forbid service account keys and create the bucket of the state. With --revoke it removes the roles.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: grant-roles.sh MEMBER keydesk=PROJECT [pool=PROJECT]... [data=PROJECT]... [accounts=PROJECT]... [touched=PROJECT]...
         [bucket=NAME]... [state-bucket=NAME state-location=LOCATION] [organization=NUMBER]
         [--forbid-keys] [--no-log-archive] [--pool-groups] [--revoke] [--print]
  MEMBER         who applies, such as user:you@acme.example
  keydesk        Keydesk's project
  pool           a project of pooled accounts
  data           a project whose Firestore the policy opens
  accounts       a project that owns a signer or shared account and is none of the above
  touched        a project that pool_roles names and that is none of the above
  bucket         a bucket that the policy names
  state-bucket   a bucket for Terraform's state, created in Keydesk's project if it is not there
  state-location its location, such as eu or europe-west1
  organization   grant roles/orgpolicy.policyAdmin on the whole organization, for forbid_keys = true of the module
  --forbid-keys  forbid service account keys in the projects of keydesk and pool, for forbid_keys = false of the module.
                 You need roles/orgpolicy.policyAdmin on the organization, and MEMBER does not
  --no-log-archive  log_archive of the module is null
  --pool-groups  pool_groups of the module is set
  --revoke       remove these roles. All else stays. A role that MEMBER had before is removed too
  --print        print the gcloud commands and run nothing
TEXT
}

# roles/resourcemanager.projectIamAdmin comes last, so that a person who revokes their own roles can revoke all of them.
keydesk=(roles/run.admin roles/cloudbuild.builds.editor roles/artifactregistry.admin roles/storage.admin roles/secretmanager.admin
  roles/cloudscheduler.admin roles/datastore.owner roles/monitoring.editor roles/logging.configWriter roles/logging.viewer
  roles/iam.serviceAccountAdmin roles/iam.serviceAccountUser roles/iam.roleAdmin roles/serviceusage.serviceUsageAdmin
  roles/resourcemanager.projectIamAdmin)
# roles/viewer is for orgpolicy.policy.get: Google grants roles/orgpolicy.policyViewer on an organization only.
pool=(roles/viewer roles/iam.serviceAccountAdmin roles/iam.roleAdmin roles/serviceusage.serviceUsageAdmin roles/resourcemanager.projectIamAdmin)
data=(roles/datastore.indexAdmin roles/firebaserules.admin roles/serviceusage.apiKeysAdmin roles/identityplatform.viewer
  roles/firebaseappcheck.viewer roles/iam.serviceAccountAdmin roles/iam.roleAdmin roles/serviceusage.serviceUsageAdmin
  roles/resourcemanager.projectIamAdmin)
accounts=(roles/iam.serviceAccountAdmin roles/iam.roleAdmin roles/resourcemanager.projectIamAdmin)
touched=(roles/resourcemanager.projectIamAdmin)
# For the log archive: in each project, and in Keydesk's.
archived=(roles/logging.configWriter roles/serviceusage.serviceUsageAdmin)
archive_roles=(roles/bigquery.dataEditor)
# Without it, in a project of accounts and in a touched one.
services=()

base_apis='cloudresourcemanager serviceusage'
keydesk_apis='apikeys artifactregistry cloudbuild cloudscheduler firebaseappcheck firestore iam iamcredentials identitytoolkit logging
  monitoring orgpolicy run secretmanager storage sts'
data_apis='apikeys firebaserules firestore iam identitytoolkit'
pool_apis='iam orgpolicy'

run=1 revoke='' forbid_keys='' keydesk_project='' state_bucket='' state_location='' log_archive=1 pool_groups='' failed='' done_already=$'\n'
for argument in "$@"; do
  case $argument in
    --help) usage && exit 0 ;;
    --print) run= ;;
    --revoke) revoke=1 ;;
    --forbid-keys) forbid_keys=1 ;;
    keydesk=*) keydesk_project=${argument#*=} ;;
    state-bucket=*) state_bucket=${argument#*=} ;;
    state-location=*) state_location=${argument#*=} ;;
    --no-log-archive) log_archive='' archive_roles=() services=(roles/serviceusage.serviceUsageViewer) ;;
    --pool-groups) pool_groups=1 ;;
  esac
done

do_it() { # each command once, also when a project has two kinds
  if [[ $done_already == *$'\n'"$*"$'\n'* ]]; then return; fi
  done_already+="$*"$'\n'
  printf '%s\n' "$*"
  if [[ -z $run ]]; then return; fi
  if [[ -n $revoke ]]; then
    "$@" >/dev/null || failed=1
  else
    "$@" >/dev/null
  fi
}

# Without --condition=None, gcloud asks for a condition, or fails, where the present policy has conditions.
bind() { # projects|organizations|"storage buckets" RESOURCE ROLE
  local verb=add-iam-policy-binding kind=$1 resource=$2 role=$3
  if [[ -n $revoke ]]; then verb=remove-iam-policy-binding; fi
  # shellcheck disable=SC2086 # "storage buckets" is two words of a command.
  do_it gcloud $kind $verb "$resource" "--member=$member" "--role=$role" --condition=None
}

forbid_keys_in() { # PROJECT
  local constraint
  if [[ -z $forbid_keys || -n $revoke ]]; then return; fi
  for constraint in iam.disableServiceAccountKeyCreation iam.disableServiceAccountKeyUpload; do
    do_it gcloud resource-manager org-policies enable-enforce "$constraint" "--project=$1"
  done
}

# The list is of the project: names of buckets are global, and a bucket of this name may be somebody else's.
create_state_bucket() {
  local found=''
  if [[ -n $revoke ]]; then return; fi
  if [[ -n $run ]]; then
    found=$(gcloud storage buckets list "--project=$keydesk_project" "--filter=name=$state_bucket" '--format=value(name)')
  fi
  if [[ -z $found ]]; then
    do_it gcloud storage buckets create "gs://$state_bucket" "--project=$keydesk_project" "--location=$state_location" \
      --uniform-bucket-level-access --public-access-prevention
  fi
  do_it gcloud storage buckets update "gs://$state_bucket" --versioning --uniform-bucket-level-access --public-access-prevention
}

grant() { # PROJECT APIS ROLE...
  local project=$1 apis=$2 role hosts=()
  shift 2
  if [[ -z $revoke ]]; then
    for api in $apis; do hosts+=("$api.googleapis.com"); done
    do_it gcloud services enable "${hosts[@]}" "--project=$project"
  fi
  if [[ -n $log_archive ]]; then set -- "${archived[@]}" "$@"; fi
  for role in "$@"; do bind projects "$project" "$role"; done
}

member=${1-}
if [[ ! $member =~ ^(user|group|serviceAccount):[^@[:space:]]+@[^@[:space:]]+$ ]]; then
  echo 'grant-roles.sh: the first argument must be an IAM member such as user:you@acme.example' >&2
  usage >&2
  exit 2
fi
shift
for argument in "$@"; do
  case $argument in
    keydesk=?* | pool=?* | data=?* | accounts=?* | touched=?* | bucket=?* | organization=?*) ;;
    state-bucket=?* | state-location=?*) ;;
    --forbid-keys | --no-log-archive | --pool-groups | --revoke | --print) ;;
    *)
      echo "grant-roles.sh: $argument is not known" >&2
      usage >&2
      exit 2
      ;;
  esac
done
if [[ -n $state_bucket && (-z $state_location || -z $keydesk_project) ]]; then
  echo 'grant-roles.sh: state-bucket needs keydesk and state-location' >&2
  usage >&2
  exit 2
fi
groups=${pool_groups:+cloudidentity} archive=${log_archive:+bigquery} logs=${log_archive:+logging}
for argument in "$@"; do
  value=${argument#*=}
  case $argument in
    keydesk=*) grant "$value" "$base_apis $keydesk_apis $groups $archive" ${archive_roles[@]+"${archive_roles[@]}"} "${keydesk[@]}" && forbid_keys_in "$value" ;;
    pool=*) grant "$value" "$base_apis $pool_apis $groups $logs" "${pool[@]}" && forbid_keys_in "$value" ;;
    data=*) grant "$value" "$base_apis $data_apis $logs" "${data[@]}" ;;
    accounts=*) grant "$value" "$base_apis $logs" ${services[@]+"${services[@]}"} "${accounts[@]}" ;;
    touched=*) grant "$value" "$base_apis $logs" ${services[@]+"${services[@]}"} "${touched[@]}" ;;
    state-bucket=*) create_state_bucket ;;
    bucket=*) bind 'storage buckets' "gs://$value" roles/storage.admin ;;
    organization=*) bind organizations "$value" roles/orgpolicy.policyAdmin ;;
  esac
done
if [[ -n $failed ]]; then
  echo 'grant-roles.sh: not every role was removed. See the messages of gcloud.' >&2
  exit 1
fi
