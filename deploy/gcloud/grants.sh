# shellcheck shell=bash
# shellcheck disable=SC2154 # what it reads is set in deploy.sh, options.sh and look.sh
# Who may do what: roles of the desk's own, grants, and a warning of whoever else may act as the policy's accounts. What a
# resource's policy says is compared by role, member and condition. Nothing is ever taken away.

role() { # NAME PROJECT
  echo "projects/$2/roles/keydesk_$1"
}

plan_role() { # NAME PROJECT: as the Terraform module has it
  local title permissions have deleted
  case $1 in
    ledger) title='Keydesk: keep the ledger' permissions=datastore.entities.get,datastore.entities.list,datastore.entities.create,datastore.entities.update ;;
    opener) title='Keydesk: open and end grant documents' permissions=datastore.entities.create,datastore.entities.get,datastore.entities.update ;;
    closer) title='Keydesk: end grant documents' permissions=datastore.entities.create,datastore.entities.update ;;
    signer) title='Keydesk: sign Firebase custom tokens' permissions=iam.serviceAccounts.signJwt ;;
    minter) title='Keydesk: mint access tokens' permissions=iam.serviceAccounts.getAccessToken ;;
    disabler) title='Keydesk: disable pooled accounts' permissions=iam.serviceAccounts.get,iam.serviceAccounts.disable ;;
    waker) title='Keydesk: disable and wake pooled accounts' permissions=iam.serviceAccounts.get,iam.serviceAccounts.disable,iam.serviceAccounts.enable ;;
    *) stop "no role $1" ;;
  esac
  printf 'keydesk_%s\t%s\n' "$1" "${permissions//,/, }" >>"$work/roles"
  look iam roles describe "keydesk_$1" --project="$2" --format='value(includedPermissions,deleted)'
  if [[ ! -s $work/answer ]]; then
    step roles gcloud iam roles create "keydesk_$1" --project="$2" --title="$title" --permissions="$permissions" --stage=GA
    return
  fi
  IFS=$'\t' read -r have deleted <"$work/answer" || true
  [[ $deleted != True ]] || step roles gcloud iam roles undelete "keydesk_$1" --project="$2"
  [[ $(sorted "$have") == "$(sorted "$permissions")" ]] ||
    step roles gcloud iam roles update "keydesk_$1" --project="$2" --permissions="$permissions"
}

sorted() { # LIST, separated as gcloud prints or takes it
  tr ';,' '[\n*]' <<<"$1" | sort
}

# What is granted on: `on …` says on what, then `grant …` to whom.

about='' policy_group=() resource=() section=grants

on() { # WHAT GROUP... -- ARGUMENT...: WHAT is for people, GROUP and ARGUMENT are gcloud's
  about=$1 policy_group=() section=grants
  shift
  while [[ $1 != -- ]]; do
    policy_group+=("$1")
    shift
  done
  shift
  resource=("$@")
  if grep -Fqx "$about" "$work/looked" "$work/new" 2>/dev/null; then return; fi
  echo "$about" >>"$work/looked"
  look "${policy_group[@]}" get-iam-policy "${resource[@]}" --flatten='bindings[].members' \
    --format='value(bindings.role,bindings.members,bindings.condition.expression)'
  awk -v about="$about" '{ print about "\t" $0 }' "$work/answer" >>"$work/bound"
}

is_new() { # WHAT: the plan creates it, so there is nothing to look at
  echo "$1" >>"$work/new"
}

on_project() { on "project $1" projects -- "$1"; } # PROJECT
on_account() { on "account $1" iam service-accounts -- "$1" --project="$2"; } # EMAIL PROJECT
on_secret() { on "secret $1" secrets -- "$1" --project="$project"; } # NAME
on_bucket() { on "bucket $1" storage buckets -- "gs://$1"; } # NAME
on_repository() { on "repository $1" artifacts repositories -- "$1" --project="$project" --location="$region"; } # NAME
on_service() { # NAME
  on "service $1" run services -- "$1" --project="$project" --region="$region"
  section=callers
}

grant() { # ROLE MEMBER [TITLE EXPRESSION]
  local condition=None line="$about"$'\t'"$1"$'\t'"$2"$'\t'"${4:-}"
  if grep -Fqx "$line" "$work/wanted"; then return; fi
  echo "$line" >>"$work/wanted"
  if grep -Fqx "$line" "$work/bound"; then return; fi
  [[ -z ${3:-} ]] || condition="expression=$4,title=$3"
  told "$2" "$1" "$about${4:+ where $4}"
  step "$section" gcloud "${policy_group[@]}" add-iam-policy-binding "${resource[@]}" --role="$1" --member="$2" \
    --condition="$condition" --format=none
}

told() { # MEMBER ROLE ON: stands before the plan
  printf '%s\t%s\t%s\n' "$1" "$2" "$3" >>"$work/told"
}

grant_on_database() { # ROLE FUNCTION PROJECT DATABASE TITLE
  on_project "$3"
  grant "$(role "$1" "$3")" "$(member "$2")" "$5" "resource.name == \"projects/$3/databases/$4\""
}

# Others on the policy's accounts, secrets and the sweep, and what the desk's own accounts have besides. On whole projects, who may act as
# any account of theirs. What stands on folders and the organization is not seen from here.
warn_of_others() {
  local what who has of
  for of in "$project" $(projects 2 database) $(projects 3 signer shared pooled); do on_project "$of"; done
  while IFS=$'\t' read -r what has who; do
    warn "$who has $has on $what, which is not of this plan. It is left as it is: see whether it is meant."
  done < <(awk -F '\t' -v desk="$project" '
    NR == FNR { wanted[$0]; next }
    $2 == "" || $0 in wanted { next }
    $1 ~ /^account / && $2 ~ /(keydesk_(minter|signer|disabler|waker)|serviceAccount(TokenCreator|OpenIdTokenCreator|User|Admin|KeyAdmin)|workloadIdentityUser|owner|editor)$/ ||
    $1 ~ /^secret / ||
    $1 == "service keydesk-sweep" ||
    $1 ~ /^project / && $2 ~ /(keydesk_(minter|signer|disabler|waker)|serviceAccount(TokenCreator|OpenIdTokenCreator|KeyAdmin))$/ ||
    $1 ~ /^project / && $3 ~ ("^serviceAccount:keydesk-[a-z]+@" desk "[.]iam[.]gserviceaccount[.]com$") {
      print $1 ($4 == "" ? "" : " where " $4) "\t" $2 "\t" $3
    }' "$work/wanted" "$work/bound")
}
