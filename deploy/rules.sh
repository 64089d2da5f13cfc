#!/usr/bin/env bash
# deploy/rules.sh [--replace] PROJECT DATABASE FILE: see rules.ts beside it, which does the work under the project's own Node.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
node=$here/../node_modules/.bin/node
[[ -x $node ]] || node=node
exec "$node" "$here/rules.ts" "$@"
