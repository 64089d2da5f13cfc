# For every test: the plugin's functions, with a fake agent and a fake curl, and no network.

setup() {
  PLUGIN="$BATS_TEST_DIRNAME/.."
  export PATH="$BATS_TEST_TMPDIR/bin:$PATH" TMPDIR="$BATS_TEST_TMPDIR" BUILDKITE_JOB_ID=0184990a-477b-4fa8-9968-496074483cee
  mkdir "$BATS_TEST_TMPDIR/bin"
  stub buildkite-agent 'echo "unexpected: $*" >&2; exit 1'
  stub curl 'echo "unexpected: $*" >&2; exit 1'
  # shellcheck source=../lib/step.bash
  . "$PLUGIN/lib/step.bash"
}

# stub COMMAND SCRIPT: puts a command of that name before all others.
stub() {
  printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
  chmod +x "$BATS_TEST_TMPDIR/bin/$1"
}

# In a subshell of its own, as the hooks do it, since it changes the shell's options. inside COMMAND...
inside() {
  (
    keydesk_load
    "$@"
  )
}
