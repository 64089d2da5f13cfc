// `environments`: every environment is declared. Its guards hold for all of its credentials, and for every rule that grants one
// of them.

import * as z from 'zod';
import { closestName } from '../closest-name.ts';
import { REVOCATIONS } from '../kinds/kind.ts';
import { revocationOf } from '../kinds/kinds.ts';
import { CONDITIONS, type Conditions, MATCH_CONDITIONS } from './conditions.ts';
import { MAX_TTL, MIN_TTL, type WrittenCredential } from './credential.ts';
import { durationSchema, formatDuration } from './duration.ts';
import type { PolicyProblem } from './problems.ts';
import { isMatchKey, MATCH_KEYS, narrows, type Rule } from './rule.ts';

const requiredClaim = z.string().superRefine((claim, context) => {
  if (isMatchKey(claim) || isCondition(claim)) return;
  const known = [...MATCH_KEYS, ...CONDITIONS];
  const near = closestName(claim, known);
  const hint = near === undefined ? `It may name ${known.join(', ')} and agent_tag:NAME` : `Did you mean "${near}"?`;
  context.addIssue({ code: 'custom', message: `"${claim}" is not a claim or a condition of a rule. ${hint}` });
});

export const environmentSchema = z.strictObject({
  /** The longest `ttl` of its credentials; in seconds when parsed. */
  maxTtl: durationSchema(MIN_TTL, MAX_TTL, 'from 1m to 1h').optional(),
  /** The values of `revocation` that its credentials may have. */
  revocation: z.array(z.enum(REVOCATIONS)).min(1).optional(),
  /** The claims that every rule narrows that grants one of its credentials, and the conditions that it has. */
  require: z.array(requiredClaim).min(1).optional(),
});

type Environment = z.output<typeof environmentSchema>;

interface Guarded {
  readonly environments: Readonly<Record<string, Environment>>;
  readonly credentials: Readonly<Record<string, WrittenCredential>>;
  readonly rules: readonly Rule[];
}

/** What the guards of the environments forbid. Names that nothing declares are passed over. */
export function environmentProblems({ environments, credentials, rules }: Guarded): PolicyProblem[] {
  const ofCredentials = Object.entries(credentials).flatMap(([name, credential]) =>
    credentialProblems(name, credential, environments[credential.environment] ?? {}),
  );
  const ofRules = rules.flatMap((rule, index) => ruleProblems(rule, index, { environments, credentials }));
  return [...ofCredentials, ...ofRules];
}

const KINDS_BY_REVOCATION = 'firestore is immediate, a pool without storage is propagating, all others are expiry';

function credentialProblems(
  name: string,
  credential: WrittenCredential,
  { maxTtl, revocation }: Environment,
): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const { environment, ttl } = credential;
  if (maxTtl !== undefined && ttl > maxTtl)
    problems.push({
      path: ['credentials', name, 'ttl'],
      message: `is ${formatDuration(ttl)}, and environments.${environment}.maxTtl is ${formatDuration(maxTtl)}. Shorten it`,
    });
  const actual = revocationOf(credential);
  if (revocation && !revocation.includes(actual))
    problems.push({
      path: ['credentials', name],
      message: `has the revocation ${actual}, and environments.${environment}.revocation allows ${revocation.join(', ')}. Use another kind of credential: ${KINDS_BY_REVOCATION}`,
    });
  return problems;
}

function ruleProblems(
  { match, conditions, grants }: Rule,
  index: number,
  { environments, credentials }: Omit<Guarded, 'rules'>,
): PolicyProblem[] {
  const grantedByEnvironment = new Map(grants.map((name) => [credentials[name]?.environment ?? '', name]));
  return [...grantedByEnvironment].flatMap(([environment, credential]) =>
    (environments[environment]?.require ?? []).flatMap((claim): PolicyProblem[] => {
      const because = `because environments.${environment}.require names it and this rule grants ${credential}`;
      if (isCondition(claim)) {
        const path = ['rules', index, ...((MATCH_CONDITIONS as readonly string[]).includes(claim) ? ['match'] : [])];
        return conditions[claim] ? [] : [{ path, message: `The rule must have ${claim}, ${because}. ${FORMS[claim]}` }];
      }
      const keys = keysMeeting(claim);
      if (keys.some((key) => narrows(match, key))) return [];
      const present = keys.find((key) => Object.hasOwn(match, key));
      return [
        {
          path: ['rules', index, 'match', ...(present === undefined ? [] : [present])],
          message: `The rule must narrow ${claim}, ${because}. ${adviceFor(claim)}`,
        },
      ];
    }),
  );
}

function isCondition(name: string): name is keyof Conditions {
  return (CONDITIONS as readonly string[]).includes(name);
}

const FORMS: Readonly<Record<keyof Conditions, string>> = {
  team: 'Add team: { name: NAME } to match',
  created_by: 'Add created_by: { team: NAME } to match',
  approval: 'Add approval: { step: KEY, by: TEAM, within: 4h, not: creator }',
  agent: 'Add agent: { provider: NAME, claims: { … } }',
};

const PIPELINE_KEYS = ['pipeline', 'pipeline_id'];

/** The keys of `match` that narrow a required claim: a pipeline's name and its id are the same. */
function keysMeeting(claim: string): readonly string[] {
  return PIPELINE_KEYS.includes(claim) ? PIPELINE_KEYS : [claim];
}

function adviceFor(claim: string): string {
  if (PIPELINE_KEYS.includes(claim)) return 'Name a pipeline from pipelines, or a pipeline_id';
  return `Give ${claim} ${claim.endsWith('_id') ? 'a UUID' : 'a value that is more than wildcards'}`;
}
