# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # what is set here is read in the other parts, and the other way round
# Accounts: the desk's own, and those that the policy names. What the desk's may do with the policy's, and what those may do
# with buckets. A pooled account that exists is never enabled: that is the sweep's alone.

plan_account() { # EMAIL DISPLAY-NAME PROJECT
  if account_is_there "$1" "$3"; then return; fi
  is_new "account $1"
  step created gcloud iam service-accounts create "${1%%@*}" --project="$3" --display-name="$2"
}

plan_accounts() {
  local name kind email of environment
  for name in token webhook sweep; do plan_account "$(account "$name")" "Keydesk: the $name function" "$project"; done
  plan_account "$(account scheduler)" 'Keydesk: calls the sweep each minute' "$project"
  plan_account "$(account build)" 'Keydesk: builds the functions' "$project"
  while IFS=$'\t' read -r _ email of environment; do plan_account "$email" "Keydesk pool: $environment" "$of"; done < <(facts pooled)
  while IFS=$'\t' read -r kind email of; do
    if [[ $of == - ]] || account_is_there "$email" "$of"; then continue; fi
    [[ -n $create_policy_accounts ]] ||
      stop "$email, which the policy names as a $kind account, is not there: create it, or say --create-policy-accounts. Nothing was changed"
    grep -Fqx "account $email" "$work/new" || plan_account "$email" 'Keydesk: named by the policy' "$of"
  done < <(facts signer && facts shared)
}

plan_account_roles() {
  local of
  for of in $(projects 3 signer); do plan_role signer "$of"; done
  for of in $(projects 3 shared pooled); do plan_role minter "$of"; done
  for of in $(projects 3 pooled); do
    plan_role disabler "$of"
    plan_role waker "$of"
  done
}

plan_minting() {
  local email of
  while IFS=$'\t' read -r _ email of; do grant_minting signer "$email" "$of"; done < <(facts signer)
  while IFS=$'\t' read -r _ email of; do grant_minting minter "$email" "$of"; done < <(facts shared)
  while IFS=$'\t' read -r _ email of _; do
    grant_minting minter "$email" "$of"
    grant "$(role disabler "$of")" "$(member token)"
    grant "$(role disabler "$of")" "$(member webhook)"
    grant "$(role waker "$of")" "$(member sweep)"
  done < <(facts pooled)
}

grant_minting() { # signer|minter EMAIL PROJECT
  if [[ $3 != - ]]; then
    on_account "$2" "$3"
    grant "$(role "$1" "$3")" "$(member token)"
    return
  fi
  # Its address does not tell where it is, so there can be no role of the desk's own beside it. Google knows whose it is.
  local of asked creator=roles/iam.serviceAccountTokenCreator
  of='' asked=$(first_with_iam)
  if [[ -n $asked ]] && try_look iam service-accounts describe "$2" --project="$asked" --format='value(projectId)'; then of=$(cat "$work/answer"); fi
  case $2 in "$number-"* | "$number@"*) of=$project ;; esac
  [[ $of != "$project" ]] || stop "$2 is in the desk's project: whoever mints for it could act as the desk. Nothing was changed"
  if [[ -z $of ]]; then
    warn "$2 could not be looked at. See that it is neither in the desk's project nor in a pool's, and let the desk mint for it:
  gcloud iam service-accounts add-iam-policy-binding $2 --project=ITS_PROJECT --role=$creator --member=$(member token) --condition=None"
    return
  fi
  if projects 3 pooled | grep -Fx "$of" >/dev/null; then
    stop "$2 is in a pool's project, $of: whoever mints for it could act for another job. Nothing was changed"
  fi
  on_account "$2" "$of"
  grant "$creator" "$(member token)"
}

first_with_iam() { # a project in whose name IAM can be asked: at first the desk's own cannot
  local of
  for of in "$project" $(projects 2 database) $(projects 3 signer shared pooled); do
    if is_on "$of" iam; then echo "$of" && return; fi
  done
}

plan_operators() { # who may throw the kill switch acts as the webhook function, which can end grants and not mint
  local who
  for who in ${operators[@]+"${operators[@]}"}; do
    on_account "$(account webhook)" "$project"
    grant roles/iam.serviceAccountTokenCreator "$who"
  done
}

plan_bucket_roles() { # a narrowed token can only subtract from what its account has
  local email bucket opens
  while IFS=$'\t' read -r _ email bucket opens; do
    there storage buckets describe "gs://$bucket" --format='value(name)' ||
      stop "bucket gs://$bucket, which the policy opens, is not there: create it first. Nothing was changed"
    on_bucket "$bucket"
    grant "$opens" "serviceAccount:$email"
  done < <(facts bucket)
}

plan_groups() {
  local group environment email hint
  for group in ${groups[@]+"${groups[@]}"}; do
    environment=${group%%=*} group=${group#*=}
    # gcloud says of a group that may not be seen that there is none, and so it does while the service is off.
    : >"$work/answer"
    hint="Is $group there, and may you see it? gcloud identity groups create makes one"
    if is_on "$project" cloudidentity; then
      look identity groups memberships list --group-email="$group" --project="$project" --format='value(preferredMemberKey.id)'
    fi
    cp "$work/answer" "$work/members"
    while IFS=$'\t' read -r _ email _; do
      if grep -Fqx "$email" "$work/members"; then continue; fi
      told "serviceAccount:$email" 'membership, and with it whatever the group may do,' "group $group"
      step groups gcloud identity groups memberships add --group-email="$group" --member-email="$email" --roles=MEMBER --project="$project" --format=none
    done < <(facts pooled | awk -F '\t' -v of="$environment" '$4 == of')
  done
}
