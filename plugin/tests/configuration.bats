#!/usr/bin/env bats

load setup

setup_file() {
  export BUILDKITE_PLUGIN_NAME=KEYDESK
  export BUILDKITE_PLUGIN_KEYDESK_URL=https://keydesk.acme.example/
}

# Reads the configuration and prints all that came of it, a line each.
read_all() {
  local number
  if ! keydesk_read_configuration; then
    printf '%s\n' "${KEYDESK_PROBLEMS[@]}"
    return 1
  fi
  printf '%s\n' "$KEYDESK_URL" "$KEYDESK_AUDIENCE" "${KEYDESK_CLAIMS[*]}" \
    "$KEYDESK_HOOK $KEYDESK_JOB_TOKEN_AS $KEYDESK_LIFETIME $KEYDESK_TIMEOUT"
  if [[ -n "${ALL-}" ]]; then
    printf '%s\n' "agent $KEYDESK_AGENT_FROM <$KEYDESK_AGENT_SOURCE> $KEYDESK_AGENT_AUDIENCE $KEYDESK_APPROVAL_TIMEOUT"
  fi
  for ((number = 0; number < ${#KEYDESK_NAMES[@]}; number++)); do
    printf '%s\n' "${KEYDESK_NAMES[number]} file=${KEYDESK_FILES[number]} token=${KEYDESK_TOKENS[number]}"
  done
}

@test "a url and one credential are enough" {
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS=staging-config
  run inside read_all
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = https://keydesk.acme.example ]
  [ "${lines[1]}" = https://keydesk.acme.example ]
  [ "${lines[2]}" = 'organization_id pipeline_id' ]
  [ "${lines[3]}" = 'pre-command executable 300 300' ]
  [ "${lines[4]}" = 'staging-config file=GOOGLE_APPLICATION_CREDENTIALS token=' ]
}

@test "every setting is read" {
  export BUILDKITE_PLUGIN_KEYDESK_AUDIENCE='the service'
  export BUILDKITE_PLUGIN_KEYDESK_CLAIMS_0=build_id BUILDKITE_PLUGIN_KEYDESK_CLAIMS_1=agent_tag:queue
  export BUILDKITE_PLUGIN_KEYDESK_HOOK=environment BUILDKITE_PLUGIN_KEYDESK_JOB_TOKEN=file
  export BUILDKITE_PLUGIN_KEYDESK_LIFETIME=600 BUILDKITE_PLUGIN_KEYDESK_TIMEOUT=0
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_0=staging-config
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_1_NAME=staging-admin BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_1_TOKEN=ADMIN_TOKEN
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_2_NAME=staging-export
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_2_FILE=A BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_2_TOKEN=B
  run inside read_all
  [ "$status" -eq 0 ]
  [ "${lines[1]}" = 'the service' ]
  [ "${lines[2]}" = 'build_id agent_tag:queue' ]
  [ "${lines[3]}" = 'environment file 600 0' ]
  [ "${lines[4]}" = 'staging-config file=GOOGLE_APPLICATION_CREDENTIALS token=' ]
  [ "${lines[5]}" = 'staging-admin file= token=ADMIN_TOKEN' ]
  [ "${lines[6]}" = 'staging-export file=A token=B' ]
}

@test "one credential needs no list" {
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_NAME=staging-config BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_TOKEN=T
  run inside read_all
  [ "$status" -eq 0 ]
  [ "${lines[4]}" = 'staging-config file= token=T' ]
}

@test "ten credentials come in their order" {
  local number
  for number in 0 1 2 3 4 5 6 7 8 9 10; do
    export "BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_${number}_NAME=c$number" "BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_${number}_TOKEN=T$number"
  done
  run inside read_all
  [ "$status" -eq 0 ]
  [ "${lines[14]}" = 'c10 file= token=T10' ]
}

@test "an item without a variable is reported" {
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_0=a BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_2_NAME=b BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_2_TOKEN=T
  run inside read_all
  [ "$status" -eq 1 ]
  [[ "${lines[0]}" == 'credentials[1]: name is required'* ]]
}

@test "the configuration is found under the name the agent gives the plugin" {
  export BUILDKITE_PLUGIN_NAME=PLUGIN BUILDKITE_PLUGIN_PLUGIN_URL=https://other.example BUILDKITE_PLUGIN_PLUGIN_CREDENTIALS=a
  run inside read_all
  [ "$status" -eq 0 ]
  [ "${lines[0]}" = https://other.example ]
}

@test "a name the agent never gives is refused" {
  export BUILDKITE_PLUGIN_NAME='A[$(id)]'
  run inside read_all
  [ "$status" -eq 1 ]
  [[ "$output" == 'BUILDKITE_PLUGIN_NAME: must be the name of the plugin'* ]]
}

@test "urls that are accepted" {
  local url
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS=a
  for url in https://a.example https://a.example:8443/ https://europe-west1-acme.cloudfunctions.net/token 'https://[2001:db8::1]:443' \
    http://localhost:1 http://127.0.0.1 'http://[::1]:8080/keydesk'; do
    BUILDKITE_PLUGIN_KEYDESK_URL="$url" run inside read_all
    [ "$status" -eq 0 ]
    [ "${lines[0]}" = "${url%/}" ]
  done
}

@test "urls that are rejected" {
  local url
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS=a
  for url in a.example http://a.example https:// https://a.example// 'https://a.example/{a,b}' https://a@b.example 'https://a.example#b' \
    'https://a.example/%0a' HTTPS://a.example http://localhost.example 'http://127.0.0.1@b.example' https://é.example; do
    BUILDKITE_PLUGIN_KEYDESK_URL="$url" run inside read_all
    [ "$status" -eq 1 ]
    [[ "$output" == 'url: must be https://'* ]]
  done
}

@test "true and the like name no variable, credential or claim" {
  local value
  for value in true false True FALSE yes no on off null; do
    run inside keydesk_is_boolean "$value"
    [ "$status" -eq 0 ]
  done
  for value in TOKEN truth staging-config 1; do
    run inside keydesk_is_boolean "$value"
    [ "$status" -eq 1 ]
  done
}

@test "a problem is reported once" {
  twice() {
    KEYDESK_PROBLEMS=()
    keydesk_problem 'url: a'
    keydesk_problem 'url: a'
    keydesk_problem 'url: b'
    printf '%s\n' "${KEYDESK_PROBLEMS[@]}"
    keydesk_has_problem url
  }
  run inside twice
  [ "$status" -eq 0 ]
  [ "$output" = $'url: a\nurl: b' ]
}

@test "variables that a step can have, and reserved ones" {
  local variable
  inside true
  for variable in GOOGLE_APPLICATION_CREDENTIALS CLOUDSDK_AUTH_ACCESS_TOKEN NODE_AUTH_TOKEN GIT_TOKEN _x a1; do
    run inside keydesk_is_reserved "$variable"
    [ "$status" -eq 1 ]
  done
  for variable in PATH HOME SHELL IFS ENV BASH_ENV BASHOPTS SHELLOPTS PS4 LD_PRELOAD LD_LIBRARY_PATH DYLD_INSERT_LIBRARIES \
    BUILDKITE BUILDKITE_JOB_ID KEYDESK_DIR TMPDIR LC_ALL UID _ NODE_OPTIONS PYTHONPATH GIT_SSH_COMMAND https_proxy NO_PROXY \
    GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES; do
    run inside keydesk_is_reserved "$variable"
    [ "$status" -eq 0 ]
  done
}

@test "the machine's token is from a platform, a file or a command" {
  export ALL=1 BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_NAME=a BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_TOKEN=T
  run inside read_all
  [ "${lines[4]}" = 'agent  <> https://keydesk.acme.example 1800' ]
  local from
  for from in aws gcp kubernetes; do
    BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN="$from" run inside read_all
    [ "${lines[4]}" = "agent $from <> https://keydesk.acme.example 1800" ]
  done
  local platform
  for platform in gke eks; do
    BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN="$platform" run inside read_all
    [ "$output" = 'agent-token: must be kubernetes for a pod of GKE or EKS, with a projected service account token' ]
  done
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FROM=aws BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_AUDIENCE=b run inside read_all
  [ "${lines[4]}" = 'agent aws <> b 1800' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FILE='/a b' BUILDKITE_PLUGIN_KEYDESK_APPROVAL_TIMEOUT=0 run inside read_all
  [ "${lines[4]}" = 'agent file </a b> https://keydesk.acme.example 0' ]
  BUILDKITE_COMMAND_EVAL=false BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN=aws run inside read_all
  [ "${lines[4]}" = 'agent aws <> https://keydesk.acme.example 1800' ]
  # shellcheck disable=SC2016 # as the pipeline has it
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_COMMAND='print "$1"' run inside read_all
  [ "${lines[4]}" = 'agent command <print "$1"> https://keydesk.acme.example 1800' ]
}

@test "a wrong source of the machine's token is reported by its key" {
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_NAME=a BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_TOKEN=T
  BUILDKITE_COMMAND_EVAL=false BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_COMMAND=id run inside read_all
  [ "$output" = 'agent-token.command: is not allowed, since this agent runs no commands of pipelines' ]
  BUILDKITE_COMMAND_EVAL=false BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FILE=/a run inside read_all
  [ "$output" = 'agent-token.file: is not allowed, since this agent runs no commands of pipelines' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN=azure run inside read_all
  [ "$output" = 'agent-token: must be aws, gcp or kubernetes, or a mapping with from, file or command' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FROM=aws BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FILE=/a run inside read_all
  [ "$output" = 'agent-token: must have one of from, file and command' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FILE=relative run inside read_all
  [ "$output" = 'agent-token.file: must be the full path of a file' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_AUDIENCE=b run inside read_all
  [ "$output" = 'agent-token.audience: is valid only with from, file or command' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN=aws BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_AUDIENCE=$'a\nb' run inside read_all
  [ "$output" = 'agent-token.audience: must not contain a control character, such as a line break' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_FILE_0=/a run inside read_all
  [ "$output" = 'agent-token.file: must be one value, not a list' ]
  BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN_URL=x run inside read_all
  [ "$output" = 'agent-token-url: unknown key' ]
  BUILDKITE_PLUGIN_KEYDESK_APPROVAL_TIMEOUT=7201 run inside read_all
  [ "$output" = 'approval-timeout: must be a whole number of seconds from 0 to 7200, without a unit' ]
}

@test "client libraries do not send the machine's token, so no credential may be a file" {
  export BUILDKITE_PLUGIN_KEYDESK_AGENT_TOKEN=gcp BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_0_NAME=a
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_0_TOKEN=T
  run inside read_all
  [ "$status" -eq 0 ]
  export BUILDKITE_PLUGIN_KEYDESK_CREDENTIALS_1=b
  run inside read_all
  [[ "$output" == 'agent-token: set token at each credential'* ]]
}
