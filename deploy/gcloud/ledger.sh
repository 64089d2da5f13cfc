# shellcheck shell=bash
# shellcheck disable=SC2154 # what it reads is set in deploy.sh and options.sh
# Databases: the ledger, which is created here, and the data databases, which are yours. Indexes, fields and security rules,
# and what the three functions may do in each.

plan_ledger() {
  local group fields field configs known function
  if ! there firestore databases describe --project="$project" --database="$database" --format='value(name)'; then
    is_new "database $project/$database"
    step created gcloud firestore databases create --project="$project" --database="$database" --location="$location" \
      --type=firestore-native --delete-protection --enable-pitr
  fi
  list_of "$project" "$database" indexes composite --format='value(name,fields[].fieldPath)'
  while IFS=$'\t' read -r _ group fields; do
    configs=() known=''
    for field in ${fields//,/ }; do
      configs+=("--field-config=field-path=${field%%:*},order=${field#*:}")
      known+="${field%%:*};"
    done
    grep -q "/collectionGroups/$group/indexes/[^/]*"$'\t'"$known" "$work/answer" ||
      step fields gcloud firestore indexes composite create --project="$project" --database="$database" \
        --collection-group="$group" --query-scope=collection "${configs[@]}" --async
  done < <(facts index)
  plan_fields "$project" "$database" own
  plan_role ledger "$project"
  for function in token webhook sweep; do
    grant_on_database ledger "$function" "$project" "$database" 'keydesk ledger only'
  done
}

plan_data_databases() {
  local of data
  for of in $(projects 2 database); do
    plan_role opener "$of"
    plan_role closer "$of"
  done
  while IFS=$'\t' read -r _ of data; do
    there firestore databases describe --project="$of" --database="$data" --format='value(name)' ||
      stop "database $of/$data, which the policy opens, is not there: create it first. Nothing was changed"
    plan_fields "$of" "$data" grants
    grant_on_database opener token "$of" "$data" "keydesk $data only"
    grant_on_database closer webhook "$of" "$data" "keydesk $data only"
    grant_on_database closer sweep "$of" "$data" "keydesk $data only"
  done < <(facts database)
}

list_of() { # PROJECT DATABASE GROUP... OPTION: what a database has of these, nothing if it is not there
  local of=$1 data=$2
  shift 2
  : >"$work/answer"
  if grep -Fqx "database $of/$data" "$work/new"; then return; fi
  look firestore "${@:1:$#-1}" list --project="$of" --database="$data" "${@: -1}"
}

fields_of() { # exempt|ttl own|grants: of the ledger's collections, or of the grant documents
  facts "$1" | awk -F '\t' -v set="$2" '($2 == "keydesk_grants") == (set == "grants")'
}

plan_fields() { # PROJECT DATABASE own|grants
  local of=(--project="$1" --database="$2") group field
  list_of "$1" "$2" indexes fields --format='value(name)'
  cp "$work/answer" "$work/exempt"
  list_of "$1" "$2" fields ttls --format='value(name)'
  cp "$work/answer" "$work/ttl"
  while IFS=$'\t' read -r _ group field; do
    grep -q "/collectionGroups/$group/fields/$field\$" "$work/exempt" ||
      step fields gcloud firestore indexes fields update "$field" --collection-group="$group" "${of[@]}" --disable-indexes --async
  done < <(fields_of exempt "$3")
  while IFS=$'\t' read -r _ group field; do
    grep -q "/collectionGroups/$group/fields/$field\$" "$work/ttl" ||
      step fields gcloud firestore fields ttls update "$field" --collection-group="$group" "${of[@]}" --enable-ttl --async
  done < <(fields_of ttl "$3")
}

plan_rules() { # before the functions: a token of a database without them opens what others' rules open
  local each name
  for each in ${rules[@]+"${rules[@]}"}; do
    name=${each%%=*}
    step rules "$root/deploy/rules.sh" "${name%%/*}" "${name#*/}" "${each#*=}"
  done
}
