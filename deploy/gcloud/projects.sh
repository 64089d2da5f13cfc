# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read in the other parts, and the other way round
# What whole projects need: services, no service account keys, audit logs. Data projects and buckets are yours, and only these
# settings of theirs are changed.

plan_apis() { # PROJECT API...
  local of=$1 api missing=()
  shift
  for api in "$@"; do is_on "$of" "$api" || missing+=("$api.googleapis.com"); done
  ((${#missing[@]} == 0)) || step apis gcloud services enable "${missing[@]}" --project="$of"
}

plan_services() {
  local of own=(artifactregistry cloudbuild cloudfunctions cloudresourcemanager cloudscheduler firestore iam iamcredentials
    logging monitoring run secretmanager serviceusage storage sts)
  # What gcloud asks of the groups is asked on behalf of the desk's project; so is everything else, with a quota project.
  ((${#groups[@]} == 0)) || own+=(cloudidentity)
  plan_apis "$project" "${own[@]}"
  for of in $(projects 2 database); do plan_apis "$of" firebaserules firestore iam identitytoolkit; done
  for of in $(projects 3 signer shared pooled); do
    # Once for each: a second plan would not know of the first.
    projects 2 database | grep -Fx "$of" >/dev/null || plan_apis "$of" iam
  done
}

plan_no_keys() {
  local of what hint='--no-org-policies leaves organization policies out'
  for of in "$project" $(projects 3 pooled); do
    for what in iam.disableServiceAccountKeyCreation iam.disableServiceAccountKeyUpload; do
      look resource-manager org-policies describe "$what" --project="$of" --effective --format='value(booleanPolicy.enforced)'
      grep -qx True "$work/answer" || step keys gcloud resource-manager org-policies enable-enforce "$what" --project="$of" --format=none
    done
  done
}

plan_audit_logs() {
  local of services missing
  facts audited | cut -f 2,3 >"$work/audited"
  # Whoever throws the kill switch acts as an account of the desk's.
  ((${#operators[@]} == 0)) || printf '%s\tiam.googleapis.com\n' "$project" >>"$work/audited"
  awk -F '\t' '!($1 in seen) { seen[$1]; print $1 }' "$work/audited" >"$work/audited-projects"
  while IFS= read -r of; do
    services=()
    while IFS= read -r missing; do services+=("$missing"); done < <(awk -F '\t' -v of="$of" '$1 == of { print $2 }' "$work/audited" | sort -u)
    look projects get-iam-policy "$of" --format=json
    [[ -s $work/answer ]] || stop "project $of was not found: nothing was changed"
    missing=$("$node" "$here/audit-logs.ts" --missing "${services[@]}" <"$work/answer") || stop "the IAM policy of $of could not be read: nothing was changed"
    # shellcheck disable=SC2086 # names of services, a line each
    [[ -z $missing ]] || step logs "$here/audit-logs.sh" "$of" $missing
  done <"$work/audited-projects"
}
