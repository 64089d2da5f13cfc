#!/usr/bin/env bash
# deploy/terraform/grant-roles.sh: grants the roles that terraform apply and keydesk doctor --before-deploy need, and enables the APIs.
# With --revoke it removes the roles.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: grant-roles.sh MEMBER keydesk=PROJECT [pool=PROJECT]... [data=PROJECT]... [accounts=PROJECT]... [touched=PROJECT]...
         [bucket=NAME]... [organization=NUMBER] [--log-archive] [--pool-groups] [--revoke] [--print]
  MEMBER         who applies, such as user:you@acme.example
  keydesk        Keydesk's project
  pool           a project of pooled accounts
  data           a project whose Firestore the policy opens
  accounts       a project that owns a signer or shared account and is none of the above
  touched        a project that pool_roles names and that is none of the above
  bucket         a bucket that the policy names
  organization   to forbid service account keys (forbid_keys)
  --log-archive  log_archive of the module is set
  --pool-groups  pool_groups of the module is set
  --revoke       remove these roles. APIs stay enabled. A role that MEMBER had before is removed too
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
accounts=(roles/serviceusage.serviceUsageViewer roles/iam.serviceAccountAdmin roles/iam.roleAdmin roles/resourcemanager.projectIamAdmin)
touched=(roles/serviceusage.serviceUsageViewer roles/resourcemanager.projectIamAdmin)
# In each project with --log-archive.
archived=(roles/logging.configWriter roles/serviceusage.serviceUsageAdmin)

base_apis='cloudresourcemanager serviceusage'
keydesk_apis='apikeys artifactregistry cloudbuild cloudscheduler firebaseappcheck firestore iam iamcredentials identitytoolkit logging
  monitoring orgpolicy run secretmanager storage sts'
data_apis='apikeys firebaserules firestore iam identitytoolkit'
pool_apis='iam orgpolicy'

run=1 revoke='' log_archive='' pool_groups='' failed='' done_already=$'\n'
for argument in "$@"; do
  case $argument in
    --help) usage && exit 0 ;;
    --print) run= ;;
    --revoke) revoke=1 ;;
    --log-archive) log_archive=1 ;;
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

bind() { # projects|organizations|"storage buckets" RESOURCE ROLE [--condition=None]
  local verb=add-iam-policy-binding kind=$1 resource=$2 role=$3
  if [[ -n $revoke ]]; then verb=remove-iam-policy-binding; fi
  shift 3
  # shellcheck disable=SC2086 # "storage buckets" is two words of a command.
  do_it gcloud $kind $verb "$resource" "--member=$member" "--role=$role" "$@"
}

grant() { # PROJECT APIS ROLE...
  local project=$1 apis=$2 role hosts=()
  shift 2
  if [[ -z $revoke ]]; then
    for api in $apis; do hosts+=("$api.googleapis.com"); done
    do_it gcloud services enable "${hosts[@]}" "--project=$project"
  fi
  if [[ -n $log_archive ]]; then set -- "${archived[@]}" "$@"; fi
  for role in "$@"; do bind projects "$project" "$role" --condition=None; done
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
    --log-archive | --pool-groups | --revoke | --print) ;;
    *)
      echo "grant-roles.sh: $argument is not known" >&2
      usage >&2
      exit 2
      ;;
  esac
done
groups=${pool_groups:+cloudidentity} archive=${log_archive:+bigquery} logs=${log_archive:+logging}
for argument in "$@"; do
  value=${argument#*=}
  case $argument in
    keydesk=*) grant "$value" "$base_apis $keydesk_apis $groups $archive" "${keydesk[@]}" ;;
    pool=*) grant "$value" "$base_apis $pool_apis $groups $logs" "${pool[@]}" ;;
    data=*) grant "$value" "$base_apis $data_apis $logs" "${data[@]}" ;;
    accounts=*) grant "$value" "$base_apis $logs" "${accounts[@]}" ;;
    touched=*) grant "$value" "$base_apis $logs" "${touched[@]}" ;;
    bucket=*) bind 'storage buckets' "gs://$value" roles/storage.admin ;;
    organization=*) bind organizations "$value" roles/orgpolicy.policyAdmin --condition=None ;;
  esac
done
if [[ -n $failed ]]; then
  echo 'grant-roles.sh: not every role was removed. See the messages of gcloud.' >&2
  exit 1
fi
