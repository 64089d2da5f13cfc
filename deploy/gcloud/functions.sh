# shellcheck shell=bash
# shellcheck disable=SC2154 # what it reads is set in deploy.sh and options.sh
# What runs: secrets without values, where archives and images are kept, the three functions, who may call them, the clock.

plan_secret() { # NAME FUNCTION
  if ! there secrets describe "keydesk-$1" --project="$project" --format='value(name)'; then
    is_new "secret keydesk-$1"
    step created gcloud secrets create "keydesk-$1" --project="$project" --replication-policy=automatic
  fi
  on_secret "keydesk-$1"
  grant roles/secretmanager.secretAccessor "$(member "$2")"
}

plan_build() {
  local bucket=$project-keydesk-archives sources="projects/_/buckets/gcf-v2-sources-$number-$region"
  if ! there storage buckets describe "gs://$bucket" --format='value(name)'; then
    is_new "bucket $bucket"
    step created gcloud storage buckets create "gs://$bucket" --project="$project" --location="$region" \
      --uniform-bucket-level-access --public-access-prevention
    # What ran is kept, for going back and for whoever has to look into it later.
    step created gcloud storage buckets update "gs://$bucket" --versioning --project="$project"
  fi
  if ! there artifacts repositories describe keydesk-functions --project="$project" --location="$region" --format='value(name)'; then
    is_new 'repository keydesk-functions'
    step created gcloud artifacts repositories create keydesk-functions --project="$project" --location="$region" --repository-format=docker
  fi
  on_project "$project"
  grant roles/logging.logWriter "$(member build)"
  # Cloud Functions copies each archive into a bucket of its own and builds from there. Without the slash, europe-west10's
  # would be europe-west1's too.
  grant roles/storage.objectViewer "$(member build)" 'keydesk build sources only' \
    "resource.name == \"$sources\" || resource.name.startsWith(\"$sources/\")"
  on_bucket "$bucket"
  grant roles/storage.objectViewer "$(member build)"
  on_repository keydesk-functions
  grant roles/artifactregistry.writer "$(member build)"
}

plan_function() { # NAME OPTION...
  local name=$1 archive command deployed
  shift
  archive=gs://$project-keydesk-archives/$name-$(facts archive | awk -F '\t' -v name="$name" '$2 == name { print $3 }').zip
  there storage objects describe "$archive" --format='value(name)' ||
    step functions gcloud storage cp "$archives/$name.zip" "$archive" --project="$project"
  # Who may call is said below. --no-allow-unauthenticated would take allUsers away at each update, and close the desk; without
  # either flag a new function is private, and an existing one keeps whom it has.
  command=(gcloud functions deploy "keydesk-$name" --project="$project" --region="$region" --gen2 --runtime=nodejs24
    --entry-point="$name" --source="$archive" --trigger-http
    --run-service-account="$(account "$name")"
    --build-service-account="projects/$project/serviceAccounts/$(account build)"
    --docker-repository="projects/$project/locations/$region/repositories/keydesk-functions" "$@")
  # A label has room for 63 characters: enough of the hash to tell what is deployed, settings and archive.
  deployed=$(printf '%s\n' "${command[@]}" | sha256 | cut -c 1-40)
  look functions describe "keydesk-$name" --project="$project" --region="$region" --format='value(name,state,labels.keydesk_deployed)'
  [[ -s $work/answer ]] || is_new "service keydesk-$name"
  grep -q $'\t'"ACTIVE"$'\t'"$deployed\$" "$work/answer" ||
    step functions "${command[@]}" --update-labels="keydesk_deployed=$deployed"
}

plan_functions() { # what ends grants before what hands them out: it must understand what that writes
  local settings=NODE_ENV=production,GOOGLE_CLOUD_PROJECT=$project,KEYDESK_DATABASE=$database secrets=--clear-secrets name
  [[ -z $buildkite_api_token_version ]] || secrets="--set-secrets=KEYDESK_BUILDKITE_API_TOKEN=keydesk-buildkite-api-token:$buildkite_api_token_version"
  plan_function sweep --memory=512Mi --cpu=1 --concurrency=1 --min-instances=0 --max-instances=1 --timeout=120s \
    --ingress-settings=internal-only --set-env-vars="$settings" "$secrets"
  plan_function webhook --memory=512Mi --cpu=1 --concurrency=40 --min-instances=1 --max-instances=10 --timeout=30s \
    --ingress-settings=all --set-env-vars="$settings" --set-secrets="KEYDESK_WEBHOOK_TOKENS=keydesk-webhook-tokens:$webhook_tokens_version"
  plan_function token --memory=512Mi --cpu=1 --concurrency=40 --min-instances=1 --max-instances=20 --timeout=30s \
    --ingress-settings=all --set-env-vars="$settings,KEYDESK_POLICY=policy.yaml" --clear-secrets
  on_service keydesk-sweep
  grant roles/run.invoker "$(member scheduler)"
  for name in webhook token; do
    on_service "keydesk-$name"
    grant roles/run.invoker allUsers
  done
  plan_schedule
}

plan_schedule() {
  local url
  url=$(url_of sweep)
  there scheduler jobs describe keydesk-sweep --project="$project" --location="$scheduler_region" --format='value(name)' ||
    step schedule gcloud scheduler jobs create http keydesk-sweep --project="$project" --location="$scheduler_region" \
      --schedule='* * * * *' --time-zone=Etc/UTC --uri="$url" --http-method=post --attempt-deadline=130s --max-retry-attempts=0 \
      --oidc-service-account-email="$(account scheduler)" --oidc-token-audience="$url"
}

url_of() { # FUNCTION: Cloud Run's own address, which is known before the function is there
  echo "https://keydesk-$1-$number.$region.run.app"
}
