#!/usr/bin/env bash
# deploy/terraform/grant-roles.sh: grants the roles that terraform apply needs, and enables the two APIs that Terraform itself needs.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: grant-roles.sh MEMBER keydesk=PROJECT [pool=PROJECT]... [data=PROJECT]... [touched=PROJECT]... [bucket=NAME]... [organization=NUMBER] [--print]
  MEMBER         who applies, such as user:you@acme.example
  keydesk        Keydesk's project
  pool           a project of pooled accounts
  data           a project whose Firestore the policy opens, or that owns a signer or shared account
  touched        a project that pool_roles names and that is none of the above
  bucket         a bucket that the policy names
  organization   to forbid service account keys (forbid_keys)
  --print        print the gcloud commands and run nothing
TEXT
}

keydesk=(roles/editor roles/resourcemanager.projectIamAdmin roles/iam.roleAdmin roles/run.admin roles/secretmanager.admin
  roles/artifactregistry.admin roles/iam.serviceAccountUser roles/iam.serviceAccountAdmin roles/storage.admin
  roles/cloudbuild.builds.editor roles/datastore.owner roles/logging.admin roles/serviceusage.serviceUsageAdmin)
pool=(roles/iam.serviceAccountAdmin roles/iam.roleAdmin roles/resourcemanager.projectIamAdmin roles/serviceusage.serviceUsageAdmin
  roles/logging.configWriter)
data=(roles/resourcemanager.projectIamAdmin roles/iam.roleAdmin roles/iam.serviceAccountAdmin roles/datastore.indexAdmin
  roles/firebaserules.admin roles/firebaseauth.viewer roles/firebaseappcheck.viewer roles/serviceusage.apiKeysAdmin roles/serviceusage.serviceUsageAdmin roles/logging.configWriter)
touched=(roles/resourcemanager.projectIamAdmin roles/serviceusage.serviceUsageAdmin roles/logging.configWriter)

run=1
for argument in "$@"; do
  case $argument in
    --help) usage && exit 0 ;;
    --print) run= ;;
  esac
done

do_it() {
  printf '%s\n' "$*"
  if [[ -n $run ]]; then "$@" >/dev/null; fi
}

grant() { # PROJECT ROLE...
  local project=$1 role
  shift
  do_it gcloud services enable cloudresourcemanager.googleapis.com serviceusage.googleapis.com "--project=$project"
  for role in "$@"; do
    do_it gcloud projects add-iam-policy-binding "$project" "--member=$member" "--role=$role" --condition=None
  done
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
    keydesk=?* | pool=?* | data=?* | touched=?* | bucket=?* | organization=?* | --print) ;;
    *)
      echo "grant-roles.sh: $argument is not known" >&2
      usage >&2
      exit 2
      ;;
  esac
done
for argument in "$@"; do
  value=${argument#*=}
  case $argument in
    keydesk=*) grant "$value" "${keydesk[@]}" ;;
    pool=*) grant "$value" "${pool[@]}" ;;
    data=*) grant "$value" "${data[@]}" ;;
    touched=*) grant "$value" "${touched[@]}" ;;
    bucket=*) do_it gcloud storage buckets add-iam-policy-binding "gs://$value" "--member=$member" --role=roles/storage.admin ;;
    organization=*) do_it gcloud organizations add-iam-policy-binding "$value" "--member=$member" --role=roles/orgpolicy.policyAdmin --condition=None ;;
  esac
done
