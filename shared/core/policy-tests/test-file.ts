// The form of a test file: `*.test.yaml` next to a policy. What its names mean is checked against a policy in cases.ts and statements.ts.

import * as z from 'zod';
import { teamConditionSchema } from '../policy/conditions.ts';
import { durationSchema } from '../policy/duration.ts';

const VERB_NAMES = ['get', 'list', 'create', 'update', 'delete', 'read', 'write'] as const;

/** Seconds. */
const LONGEST_AGO = 7 * 24 * 3600;

const name = z.string().min(1).max(200);
const namesError = { error: 'must be a name, or a list of names' };
const names = z.union([z.string().transform((one) => [one]), z.array(z.string()).min(1)], namesError);
const verb = z.enum(VERB_NAMES);
const verbsError = { error: `must be one of ${VERB_NAMES.join(', ')}, or a list of them` };
const verbs = z.union([verb.transform((one) => [one]), z.array(verb).min(1)], verbsError);

const claimValueError = { error: 'must be one value' };
/** Claims with one value each. An empty value leaves a claim out. */
const jobSchema = z.record(z.string(), z.union([z.string().max(1024), z.int().transform(String)], claimValueError));
const credentials = z.array(z.string());

/** One, or a list of them. */
const oneOrMore = <T extends z.ZodType>(schema: T) => z.union([schema.transform((one) => [one]), z.array(schema)]);
const teamNames = z.union([z.string().transform((one) => [one]), z.array(z.string())], namesError);

/** What is so beyond the claims of the job's token. What is left out is not so. */
const conditionsSchema = z.strictObject({
  /** The teams that the pipeline belongs to. */
  team: oneOrMore(teamConditionSchema).default([]),
  /** The teams of the person who started the build. */
  created_by: z.strictObject({ team: teamNames }).optional(),
  /** The block steps that were unblocked. */
  approved: oneOrMore(
    z.strictObject({
      step: z.string().min(1),
      /** The teams of the person who did. */
      by: teamNames.default([]),
      /** In seconds when parsed; without it, just now. */
      ago: durationSchema(1, LONGEST_AGO, 'from 1s to 168h').optional(),
      /** Where that person started the build. */
      approver: z.literal('creator', { error: 'must be creator, or left out' }).optional(),
    }),
  ).default([]),
  /** Of the build, in its metadata. */
  reason: z.string().min(1).optional(),
  agent: z.strictObject({ provider: z.string(), claims: z.record(z.string(), z.string()) }).optional(),
});

const caseSchema = z
  .strictObject({
    name,
    job: jobSchema,
    conditions: conditionsSchema.optional(),
    gets: credentials.optional(),
    granted: credentials.min(1).optional(),
    refused: credentials.min(1).optional(),
  })
  .superRefine(({ gets, granted, refused }, context) => {
    const partial = granted ?? refused;
    if (gets && partial)
      context.addIssue({
        code: 'custom',
        path: ['gets'],
        message: 'names every credential. Remove granted and refused',
      });
    else if (!gets && !partial)
      context.addIssue({
        code: 'custom',
        message: 'A case must have gets, or granted, or refused. Write gets: [] for a job that gets nothing',
      });
  });

const neverSchema = z.strictObject({
  environment: names.optional(),
  credential: names.optional(),
  path: z.string().optional(),
  verb: verbs.optional(),
  database: names.optional(),
  bucket: names.optional(),
  prefix: z.string().optional(),
});

const statementSchema = z
  .strictObject({
    name: name.optional(),
    never: neverSchema.optional(),
    always: z.strictObject({ credential: names }).optional(),
    /** A match, or a list of them. matches.ts reads it. */
    for: z.unknown().optional(),
    unless: z.unknown().optional(),
    /** By the name of a credential, why it does not open what `never` names. */
    assume: z.record(z.string(), z.string()).optional(),
  })
  .superRefine((statement, context) => {
    const issue = (message: string, ...path: string[]) => context.addIssue({ code: 'custom', path, message });
    if (statement.never && statement.always)
      issue('cannot be in one statement with never. Write two statements', 'always');
    else if (!statement.never && !statement.always) issue('A statement must have never or always');
    if (statement.always && statement.for === undefined)
      issue('A statement with always must say for which jobs. Add for: { pipeline: NAME }');
    if (statement.never)
      for (const [message, ...path] of neverMistakes(statement.never)) issue(message, 'never', ...path);
    if (statement.assume && statement.never?.path === undefined && statement.never?.bucket === undefined)
      issue('is only for a statement about a path or a bucket. Remove it', 'assume');
  });

const TARGETS = ['environment', 'credential', 'path', 'bucket'] as const;

function neverMistakes(never: z.output<typeof neverSchema>): [message: string, ...path: string[]][] {
  const present = TARGETS.filter((target) => never[target] !== undefined);
  const found = present.length > 0 ? `It has ${present.join(' and ')}: keep one` : 'It has none';
  const belongs = (key: 'verb' | 'database' | 'prefix', target: 'path' | 'bucket'): [string, string][] =>
    never[key] !== undefined && present.length === 1 && present[0] !== target
      ? [[`belongs to ${target}, and this statement is about ${present[0]}. Remove it`, key]]
      : [];
  return [
    ...(present.length === 1 ? [] : [[`must have exactly one of ${TARGETS.join(', ')}. ${found}`] satisfies [string]]),
    ...belongs('verb', 'path'),
    ...belongs('database', 'path'),
    ...belongs('prefix', 'bucket'),
  ];
}

export const testFileSchema = z
  .strictObject({
    version: z.literal(1, { error: 'must be 1. This version of Keydesk reads no other format' }),
    /** The claims of every case's job, unless the case has its own. */
    job: jobSchema.default({}),
    cases: z.array(caseSchema).default([]),
    statements: z.array(statementSchema).default([]),
  })
  .superRefine(({ cases, statements }, context) => {
    if (cases.length === 0 && statements.length === 0)
      context.addIssue({ code: 'custom', message: 'The file has no cases and no statements. Add one' });
  });

type TestFile = z.output<typeof testFileSchema>;
export type WrittenCase = TestFile['cases'][number];
export type WrittenConditions = NonNullable<WrittenCase['conditions']>;
export type WrittenStatement = TestFile['statements'][number];
/** Claims with one value each, as in the file. */
export type WrittenJob = TestFile['job'];
