// Every snippet of docs/CLIENTS.md for the sandbox's shell, run there: in the order of the page, each in a subshell.

import { readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ROOT } from '../../../sandbox/functions.ts';
import { type Needed, needs, needsAll } from '../../fixtures/needs.ts';
import { pythonOfGcloud } from '../clients/gcloud.ts';
import { buildGoExample } from '../clients/go.ts';
import { buildJavaClient } from '../clients/java.ts';
import { PREPARE_LIMIT_MS } from '../clients/toolchain.ts';
import { partsOf, runInShell, type ShellRun } from '../sandbox/sandbox-shell.ts';

const PAGE = readFileSync(join(ROOT, 'docs/CLIENTS.md'), 'utf8');
/** The snippet of each client, by the client's name. */
const SNIPPETS = new Map(
  [...PAGE.matchAll(/<!-- sandbox: (\w+) -->\n```sh\n([\s\S]*?)```/g)].map(([, name = '', text = '']) => [name, text]),
);
const python = pythonOfGcloud();
const go = needsAll('go', 'openssl');
const java = needsAll('java', 'javac', 'keytool', 'mvn', 'openssl');
/** What each snippet needs, and a part of what it prints. */
const CLIENTS: Readonly<Record<string, { readonly needed: Needed; readonly prints: string }>> = {
  curl: { needed: needs('curl'), prints: '"replicas"' },
  plugin: { needed: needs('curl'), prints: 'production-config: released' },
  node: { needed: needs('openssl'), prints: 'warm\n{ replicas: 3 }' },
  python: {
    needed: needs('google-auth for Python', { find: () => python?.command, install: 'the Google Cloud CLI' }),
    prints: "'replicas': {'integerValue': '3'}",
  },
  go: { needed: go, prints: 'warm' },
  java: { needed: java, prints: 'warm' },
  gcloud: { needed: needs('gcloud'), prints: '# Keydesk' },
  gsutil: { needed: needsAll('gcloud', 'openssl'), prints: '' },
  terraform: { needed: needs('terraform'), prints: 'greeting = "hello"' },
};

describe('the snippets of docs/CLIENTS.md', () => {
  let ran: ShellRun;
  let parts: ReadonlyMap<string, string>;
  beforeAll(async () => {
    const program = go.missing ? '' : await buildGoExample(join(ROOT, 'examples/clients/storage.go'));
    const libraries = java.missing ? '' : await buildJavaClient();
    // What the reader has: libraries for Python and Java, and for Go a module that has them.
    const prepared = [
      `export LIBRARIES='${libraries}' PYTHONPATH='${python?.path ?? ''}' PYTHONDONTWRITEBYTECODE=1`,
      `python3() { '${python?.command ?? 'python3'}' "$@"; }`,
      `go() { '${program}'; }`,
      // The libraries of this repository, for programs of examples/.
      `PATH='${join(ROOT, 'node_modules/.bin')}${delimiter}'$PATH`,
    ];
    const snippets = [...SNIPPETS].flatMap(([name, text]) =>
      CLIENTS[name]?.needed.missing ? [] : [`echo "== ${name}"`, `( set -e\n${text} )`, 'echo "exit $?"'],
    );
    ran = await runInShell([...prepared, ...snippets, ''].join('\n'));
    parts = partsOf(ran.stdout);
  }, PREPARE_LIMIT_MS);

  it('are of these clients', () => {
    expect([...SNIPPETS.keys()].sort()).toEqual(Object.keys(CLIENTS).sort());
  });

  for (const [name, { needed, prints }] of Object.entries(CLIENTS))
    it.skipIf(needed.missing)(needed.title(`run in the sandbox: ${name}`), () => {
      const printed = parts.get(name) ?? '';
      expect(printed, ran.stderr).toContain(prints);
      expect(printed, ran.stderr).toMatch(/exit 0\n$/);
    });
});
