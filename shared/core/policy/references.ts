// Names in a policy file that nothing declares: credentials, pipelines, teams and identity providers in rules, environments and databases
// in credentials.
// Reads the raw data, so that these problems are reported together with those of the schema.

import * as z from 'zod';
import { closestName } from '../closest-name.ts';
import type { PolicyProblem } from './problems.ts';
import { uuidSchema } from './rule.ts';

const section = z.record(z.string(), z.unknown());
const listOrOne = z.union([z.array(z.unknown()), z.unknown().transform((one) => [one])]);

/** As much of a policy as its references need, however wrong the rest is. */
const referencesSchema = z.object({
  environments: section.optional().catch(undefined),
  pipelines: section.optional().catch(undefined),
  teams: section.optional().catch(undefined),
  identityProviders: section.optional().catch(undefined),
  databases: section.optional().catch(undefined),
  credentials: section.optional().catch(undefined),
  rules: z
    .array(
      z
        .object({
          name: z.unknown(),
          match: z
            .object({
              pipeline: listOrOne.optional(),
              team: z.object({ name: z.unknown() }).optional().catch(undefined),
              created_by: z.object({ team: z.unknown() }).optional().catch(undefined),
            })
            .catch({}),
          approval: z.object({ by: z.unknown() }).optional().catch(undefined),
          agent: z
            .object({ provider: z.unknown(), claims: section.catch({}) })
            .optional()
            .catch(undefined),
          grants: z.array(z.unknown()).catch([]),
        })
        .catch({ name: undefined, match: {}, grants: [] }),
    )
    .catch([]),
});

const credentialReferences = z.object({
  environment: z.unknown(),
  firestore: z.object({ database: z.unknown() }).optional().catch(undefined),
});

type References = z.output<typeof referencesSchema>;

/** A name that a policy uses and does not declare. */
interface Undeclared {
  readonly section: keyof typeof NOUNS;
  readonly name: string;
  /** The declared name that was probably meant. */
  readonly near: string | undefined;
  readonly path: PolicyProblem['path'];
}

/**
 * One problem for each name, at the first place that uses it.
 * @param malformed declared names with a problem of their own, as "section.name": they would be used if they were right
 */
export function referenceProblems(data: unknown, malformed: ReadonlySet<string>): PolicyProblem[] {
  const references = referencesSchema.safeParse(data).data;
  if (!references) return [];
  const undeclaredNames = [...ofCredentials(references), ...ofRules(references)].filter(
    ({ section, near }) => near === undefined || !malformed.has(`${section}.${near}`),
  );
  const problems = undeclaredNames.flatMap((one) => {
    const same = undeclaredNames.filter(({ section, name }) => section === one.section && name === one.name);
    return same[0] === one ? [{ path: one.path, message: messageOf(one, same.length) }] : [];
  });
  return [...problems, ...undeclaredClaims(references), ...repeatedNames(references)];
}

function repeatedNames({ rules }: References): PolicyProblem[] {
  const seen = new Set<unknown>();
  return rules.flatMap(({ name }, index) => {
    if (typeof name !== 'string' || !seen.has(name)) {
      seen.add(name);
      return [];
    }
    return [
      { path: ['rules', index, 'name'], message: `"${name}" is the name of an earlier rule. Rename one of them` },
    ];
  });
}

function ofCredentials({ environments, databases, credentials }: References): Undeclared[] {
  return Object.entries(credentials ?? {}).flatMap(([name, credential]) => {
    const { environment, firestore } = credentialReferences.safeParse(credential).data ?? {};
    const path = ['credentials', name];
    return [
      // Without the section, its absence is the problem.
      ...(environments ? undeclared('environments', environments, environment, [...path, 'environment']) : []),
      ...undeclared('databases', databases ?? {}, firestore?.database, [...path, 'firestore', 'database']),
    ];
  });
}

function ofRules({ pipelines, teams, identityProviders, credentials, rules }: References): Undeclared[] {
  const problems: Undeclared[] = [];
  for (const [index, { match, approval, agent, grants }] of rules.entries()) {
    const rule = ['rules', index];
    problems.push(
      ...undeclared('teams', teams ?? {}, match.team?.name, [...rule, 'match', 'team', 'name']),
      ...undeclared('teams', teams ?? {}, match.created_by?.team, [...rule, 'match', 'created_by', 'team']),
      ...undeclared('teams', teams ?? {}, approval?.by, [...rule, 'approval', 'by']),
      ...undeclared('identityProviders', identityProviders ?? {}, agent?.provider, [...rule, 'agent', 'provider']),
    );
    for (const [position, pipeline] of (match.pipeline ?? []).entries()) {
      const path = ['rules', index, 'match', 'pipeline', position];
      // YAML reads a name of digits as a number.
      const written = typeof pipeline === 'number' ? String(pipeline) : pipeline;
      problems.push(...undeclared('pipelines', pipelines ?? {}, written, path));
    }
    for (const [position, granted] of grants.entries())
      if (credentials)
        problems.push(...undeclared('credentials', credentials, granted, ['rules', index, 'grants', position]));
  }
  return problems;
}

/** Claims of a machine's token that a rule names and the provider does not declare: no verified token has them. */
function undeclaredClaims({ identityProviders, rules }: References): PolicyProblem[] {
  return rules.flatMap(({ agent }, index) => {
    const name = agent?.provider;
    if (typeof name !== 'string' || !Object.hasOwn(identityProviders ?? {}, name)) return [];
    const declared = providerClaims.safeParse(identityProviders?.[name]).data?.claims;
    if (!declared) return [];
    const known = Object.keys(declared);
    return Object.keys(agent?.claims ?? {})
      .filter((claim) => !known.includes(claim))
      .map((claim) => {
        const near = closestName(claim, known);
        const advice =
          near === undefined ? `Declare it in identityProviders.${name}.claims` : `Did you mean "${near}"?`;
        return {
          path: ['rules', index, 'agent', 'claims', claim],
          message: `"${claim}" is not a claim of the identity provider ${name}. ${advice}`,
          at: 'key' as const,
        };
      });
  });
}

const providerClaims = z.object({ claims: section });

const NOUNS = {
  environments: 'an environment',
  pipelines: 'a pipeline',
  teams: 'a team',
  identityProviders: 'an identity provider',
  databases: 'a database',
  credentials: 'a credential',
} as const;

/** The schema reports a name that is not text. */
function undeclared(
  section: keyof typeof NOUNS,
  declared: Readonly<Record<string, unknown>>,
  name: unknown,
  path: PolicyProblem['path'],
): Undeclared[] {
  if (typeof name !== 'string' || Object.hasOwn(declared, name)) return [];
  return [{ section, name, near: closestName(name, Object.keys(declared)), path }];
}

function messageOf({ section, name, near }: Undeclared, places: number): string {
  const advice =
    patternAdvice(section, name) ?? (near === undefined ? `Declare it in ${section}` : `Did you mean "${near}"?`);
  const more = places > 1 ? ` The name is in ${places} places.` : '';
  return `"${name}" is not ${NOUNS[section]} of this policy.${more} ${advice}`;
}

/** For who wrote something else than a name there. */
function patternAdvice(section: keyof typeof NOUNS, name: string): string | undefined {
  if (section === 'teams' && uuidSchema.safeParse(name).success)
    return 'Give it a name in teams, and write the name here';
  if (section !== 'pipelines') return undefined;
  if (name.includes('*')) return 'A name has no wildcards: write a pattern at pipeline_slug';
  return uuidSchema.safeParse(name).success ? 'Give it a name in pipelines, or write it at pipeline_id' : undefined;
}
