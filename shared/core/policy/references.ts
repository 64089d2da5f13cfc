// Names in a policy file that nothing declares: credentials and pipelines in rules, environments and databases in credentials.
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
  databases: section.optional().catch(undefined),
  credentials: section.optional().catch(undefined),
  rules: z
    .array(
      z
        .object({
          name: z.unknown(),
          match: z.object({ pipeline: listOrOne.optional() }).catch({}),
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

export function referenceProblems(data: unknown): PolicyProblem[] {
  const references = referencesSchema.safeParse(data).data;
  if (!references) return [];
  return [...ofCredentials(references), ...ofRules(references)];
}

function ofCredentials({ environments, databases, credentials }: References): PolicyProblem[] {
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

function ofRules({ pipelines, credentials, rules }: References): PolicyProblem[] {
  const problems: PolicyProblem[] = [];
  const seen = new Set<unknown>();
  for (const [index, { name, match, grants }] of rules.entries()) {
    if (typeof name === 'string' && seen.has(name))
      problems.push({
        path: ['rules', index, 'name'],
        message: `"${name}" is the name of an earlier rule. Rename one of them`,
      });
    seen.add(name);
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

const NOUNS = {
  environments: 'an environment',
  pipelines: 'a pipeline',
  databases: 'a database',
  credentials: 'a credential',
} as const;

/** The schema reports a name that is not text. */
function undeclared(
  section: keyof typeof NOUNS,
  declared: Readonly<Record<string, unknown>>,
  name: unknown,
  path: PolicyProblem['path'],
): PolicyProblem[] {
  if (typeof name !== 'string' || Object.hasOwn(declared, name)) return [];
  const near = closestName(name, Object.keys(declared));
  const advice =
    patternAdvice(section, name) ?? (near === undefined ? `Declare it in ${section}` : `Did you mean "${near}"?`);
  return [{ path, message: `"${name}" is not ${NOUNS[section]} of this policy. ${advice}` }];
}

/** What else may narrow a rule, for who wrote it at `pipeline`. */
function patternAdvice(section: keyof typeof NOUNS, name: string): string | undefined {
  if (section !== 'pipelines') return undefined;
  if (name.includes('*')) return 'A name has no wildcards: write a pattern at pipeline_slug';
  return uuidSchema.safeParse(name).success ? 'Give it a name in pipelines, or write it at pipeline_id' : undefined;
}
