// The security rules that are released for each data database: the generated part agrees with policy, and the rest does not open the grant
// documents or admit Keydesk's users. The ledger's database has no rules that admit anybody.
// Source: firebase.google.com/docs/reference/rules/rest/v1 (projects.releases, projects.rulesets).

import * as z from 'zod';
import {
  type DatabaseName,
  extractGenerated,
  matchesExposingGrants,
  newRulesFile,
  normalizeHandWritten,
  tokensOfPolicy,
} from '../../shared/core/security-rules/generate.ts';
import { rulesAdmittingSignedIn } from '../../shared/core/security-rules/signed-in.ts';
import type { CheckKind, Found } from '../checks/check.ts';
import { CouldNotLook, type Google } from '../checks/google.ts';
import { READS } from './reads.ts';
import type { DoctorTarget } from './target.ts';

const API = 'firebaserules.googleapis.com';
const IN_FORCE_AFTER_MS = 10 * 60_000;
const DAY_MS = 24 * 60 * 60_000;
/** Rules that admit nobody, without white space. */
const CLOSED = /^(match\/\{[a-z]+=\*\*\}\{allowread,write:iffalse;\})?$/;

const releaseShape = z.object({ rulesetName: z.string(), updateTime: z.string().default('') });
const rulesetShape = z.object({ source: z.object({ files: z.array(z.object({ content: z.string().default('') })) }) });

type Name =
  | 'rules_missing'
  | 'rules_without_keydesk'
  | 'rules_differ'
  | 'rules_expose_grants'
  | 'rules_admit_signed_in'
  | 'rules_not_yet_in_force'
  | 'ledger_has_rules';

const WRITE = 'keydesk rules write --project {project} --database {database} --file FILE';

export const securityRules: CheckKind<DoctorTarget, Name> = {
  name: 'security rules',
  looksAt: 'Whether the released rules of each database are those that policy generates, and since when.',
  findings: {
    rules_missing: {
      severity: 'error',
      what: 'No security rules are released for {database} of {project}.',
      why: 'Firestore rejects every request with a firestore credential.',
      fix: `${WRITE} && deploy/rules.sh {project} {database} FILE`,
      undo: 'Release the former ruleset in the Firebase console: Firestore, Rules.',
    },
    rules_without_keydesk: {
      severity: 'error',
      what: 'The released rules of {database} of {project} have no part of Keydesk.',
      why: 'Grants are not looked up: an issued token opens what the other rules open to any signed-in user, also after its job has ended.',
      fix: `${WRITE} && deploy/rules.sh {project} {database} FILE`,
      undo: 'Release the former ruleset in the Firebase console: Firestore, Rules.',
    },
    rules_differ: {
      severity: 'error',
      what: 'The released rules of {database} of {project} are not those of this policy.',
      why: 'A token opens more than policy says, or less.',
      fix: `${WRITE} && deploy/rules.sh {project} {database} FILE`,
      undo: 'Release the former ruleset in the Firebase console: Firestore, Rules.',
    },
    rules_expose_grants: {
      severity: 'error',
      what: 'The rules of {database} of {project} have a match {match} outside of the part of Keydesk, and it covers the grant documents.',
      why: 'Rules only ever add access. Who writes a grant document gives themselves access that nobody granted.',
      fix: 'Narrow the match in your rules file, and deploy it.',
      undo: 'Deploy the former file.',
    },
    rules_admit_signed_in: {
      severity: 'warning',
      what: 'Line {line} of the rules of {database} of {project} may admit a user of Keydesk: {rule}',
      why: 'A token of Keydesk counts as signed in for up to an hour, also after its job has ended.',
      fix: 'Add "&& !keydeskUser()" to the condition, and deploy the file.',
      undo: 'Deploy the former file.',
    },
    rules_not_yet_in_force: {
      severity: 'warning',
      what: 'The rules of {database} of {project} were released at {time}.',
      why: 'Google documents up to ten minutes until released rules are in force.',
      fix: 'Wait, and run this command again.',
      undo: 'Nothing changes.',
    },
    ledger_has_rules: {
      severity: 'error',
      what: "Security rules are released for the ledger's database, {database} of {project}.",
      why: 'What they allow, clients with an API key of the project can do to the ledger, without IAM.',
      fix: 'Release rules that allow nothing, in the Firebase console: Firestore, Rules.',
      undo: 'Release the former ruleset there.',
    },
  },
  checksOf: (target) => [
    ...target.databases.map((name) => ({
      subject: `${name.project}, ${name.database}`,
      look: async (google: Google) => {
        const released = await readRules(google, name);
        if (!released) return { found: [{ finding: 'rules_missing' as const, facts: { ...name } }] };
        return { found: judgeRules(target, name, released), detail: ageOf(released.updateTime, target.clock) };
      },
    })),
    {
      subject: `${target.project}, ${target.ledgerDatabase}`,
      look: async (google) => {
        const name = { project: target.project, database: target.ledgerDatabase };
        const released = await readRules(google, name);
        if (!released || CLOSED.test(normalizeHandWritten(released.text))) return { found: [] };
        return { found: [{ finding: 'ledger_has_rules' as const, facts: name }] };
      },
    },
  ],
};

interface Released {
  readonly text: string;
  readonly updateTime: string;
}

async function readRules(google: Google, { project, database }: DatabaseName): Promise<Released | undefined> {
  const release = await google.find({
    api: API,
    path: `v1/projects/${project}/releases/cloud.firestore${database === '(default)' ? '' : `/${database}`}`,
    shape: releaseShape,
    ...READS.rules,
    on: project,
  });
  if (!release) return undefined;
  const { source } = await google.read({
    api: API,
    path: `v1/${release.rulesetName}`,
    shape: rulesetShape,
    ...READS.ruleset,
    on: project,
  });
  return { text: source.files.map(({ content }) => content).join('\n'), updateTime: release.updateTime };
}

function judgeRules(
  { policy, clock }: DoctorTarget,
  name: DatabaseName,
  { text, updateTime }: Released,
): Found<Name>[] {
  const facts = { ...name };
  const generated = extractGenerated(text);
  if (generated === undefined) return [{ finding: 'rules_without_keydesk', facts }];
  const found: Found<Name>[] = [];
  if (generated !== extractGenerated(newRulesFile(policy, name))) found.push({ finding: 'rules_differ', facts });
  for (const match of matchesExposingGrants(text))
    found.push({ finding: 'rules_expose_grants', facts: { ...facts, match } });
  for (const { line, rule } of rulesAdmittingSignedIn(text, tokensOfPolicy(policy, name)))
    found.push({ finding: 'rules_admit_signed_in', facts: { ...facts, line: String(line), rule } });
  const age = clock.now() - Date.parse(updateTime);
  if (Number.isNaN(age) && found.length === 0)
    throw new CouldNotLook(
      `${API} did not say when the rules of ${name.database} of ${name.project} were released`,
      'Look at the time in the Firebase console: Firestore, Rules.',
    );
  if (age < IN_FORCE_AFTER_MS) found.push({ finding: 'rules_not_yet_in_force', facts: { ...facts, time: updateTime } });
  return found;
}

function ageOf(updateTime: string, clock: DoctorTarget['clock']): string {
  const days = Math.floor((clock.now() - Date.parse(updateTime)) / DAY_MS);
  return Number.isNaN(days) ? 'of unknown age' : `released ${days} days ago`;
}
