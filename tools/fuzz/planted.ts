// Mistakes that the fuzzers must find: each is made in a copy of the repository, and the target runs there until it finds something.

import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { editsByFile } from '../mutation/mutation.ts';
import { withScratch } from '../mutation/scratch.ts';

interface Planted {
  readonly target: string;
  readonly file: string;
  /** Text that the file has exactly once. */
  readonly find: string;
  readonly replace: string;
}

export const PLANTED: readonly Planted[] = [
  {
    target: 'job-token',
    file: 'shared/oidc/acceptance.ts',
    find: 'if (aud !== audience)',
    replace: 'if (!String(aud).startsWith(audience))',
  },
  {
    target: 'job-token',
    file: 'shared/buildkite/job-token.ts',
    find: 'if (!isSignedByOneOf(',
    replace: "if (kid !== 'b' && !isSignedByOneOf(",
  },
  {
    target: 'agent-token',
    file: 'shared/identity-providers/agent-token.ts',
    find: 'issuer === payload.iss',
    replace: 'String(payload.iss).startsWith(issuer)',
  },
  {
    target: 'agent-token',
    file: 'shared/identity-providers/agent-token.ts',
    find: '!Array.isArray(inner) && Object.hasOwn(inner, member)',
    replace: 'true',
  },
  {
    target: 'caller-token',
    file: 'shared/google/caller.ts',
    find: 'email_verified === true ?',
    replace: 'email_verified ?',
  },
  {
    target: 'webhook',
    file: 'shared/core/webhook/signature.ts',
    find: '< now - SIGNATURE_WINDOW',
    replace: '< now - 2 * SIGNATURE_WINDOW',
  },
  {
    target: 'token-endpoint',
    file: 'shared/core/oauth/exchange-request.ts',
    find: 'if (parameters.has(name))',
    replace: "if (parameters.has(name) && name !== 'audience')",
  },
  {
    target: 'operator-request',
    file: 'functions/runtime/private-handler.ts',
    find: 'values.length === 1 ? values[0] : values',
    replace: 'values[0]',
  },
  {
    target: 'grant-list',
    file: 'functions/reader/cursor.ts',
    find: ' || parsed.data.filters !== digestOf(filters)',
    replace: '',
  },
  {
    target: 'http-head',
    file: 'functions/runtime/http-server.ts',
    find: 'addresses.at(-1 - trustedProxies) ??',
    replace: 'addresses[0] ??',
  },
  {
    target: 'google-response',
    file: 'shared/google/id-token.ts',
    find: "'phone_number', 'name', 'picture'] as const)",
    replace: "'name', 'picture'] as const)",
  },
  {
    target: 'security-rules',
    file: 'shared/core/security-rules/condition.ts',
    find: 'value = either(value, this.#and())',
    replace: 'value = both(value, this.#and())',
  },
  {
    target: 'claim-pattern',
    file: 'shared/core/policy/pattern.ts',
    find: "(part === STAR && character !== '/')",
    replace: 'part === STAR',
  },
  // One that never ends.
  {
    target: 'claim-pattern',
    file: 'shared/core/policy/pattern.ts',
    find: 'if (next.size === 0) return false;',
    replace: 'while (next.size === 0);',
  },
];

const SECONDS = '30';

/** @returns how many were not found, of those in these targets */
export async function findPlanted(names: readonly string[]): Promise<number> {
  let missed = 0;
  for (const { target, ...edit } of PLANTED.filter((one) => names.includes(one.target))) {
    const edits = editsByFile({ id: target, breaks: 'verification', means: '', killers: [], edits: [edit] });
    const startedAt = performance.now();
    const { status, stdout } = await withScratch(edits, async (folder) =>
      spawnSync(process.execPath, [join(folder, 'tools/fuzz/main.ts'), '--seconds', SECONDS, '--first', target], {
        cwd: folder,
        encoding: 'utf8',
      }),
    );
    const took = Math.round((performance.now() - startedAt) / 1000);
    const problem = new RegExp(`^${target}: (.*)$`, 'm').exec(stdout)?.[1];
    if (status !== 1 || problem === undefined) missed += 1;
    process.stdout.write(
      `${problem === undefined ? 'MISSED' : 'found '} ${target}: ${edit.replace || 'nothing'} (${took} s)\n`,
    );
    if (problem !== undefined) process.stdout.write(`       ${problem.slice(0, 140)}\n`);
  }
  return missed;
}
