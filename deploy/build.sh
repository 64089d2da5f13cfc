#!/usr/bin/env bash
# deploy/build.sh --help: runs build.ts, which does the work, under the project's own Node.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# In the released package it is one file, for the Node on the PATH.
if [[ -f $here/build.mjs ]]; then
  exec node "$here/build.mjs" "$@"
fi
node=$here/../node_modules/.bin/node
if [[ ! -x $node ]]; then
  echo "build.sh: run npm ci in the repository first" >&2
  exit 1
fi
exec "$node" "$here/build.ts" "$@"
