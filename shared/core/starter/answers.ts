// What `keydesk init` must know, in the words of its flags, and what is wrong with it. Pure.

import { meantOrKnown } from '../closest-name.ts';
import { nameSchema } from '../policy/credential.ts';
import { PIPELINE_NAME } from '../policy/pipelines.ts';
import { contactSchema } from '../policy/policy.ts';
import { UUID } from '../policy/rule.ts';
import { isProtected } from '../policy-warnings/environments.ts';
import { placeholderIn } from '../policy-warnings/placeholders.ts';

/** Values of the flags, by their names without `--`. What may be given several times is a list. */
export interface Written {
  readonly organization?: string | undefined;
  readonly organizationId?: string | undefined;
  readonly pipeline?: readonly string[] | undefined;
  readonly firestore?: readonly string[] | undefined;
  readonly pool?: readonly string[] | undefined;
  readonly deploys?: readonly string[] | undefined;
  readonly contact?: string | undefined;
  readonly project?: string | undefined;
  readonly projectNumber?: readonly string[] | undefined;
  readonly region?: string | undefined;
  readonly url?: string | undefined;
  readonly stateBucket?: string | undefined;
}

export interface Database {
  readonly project: string;
  readonly database: string;
}

export interface StarterEnvironment {
  readonly name: string;
  /** Called production: its rule has more guards. */
  readonly isProtected: boolean;
  /** The name of the pipeline that gets its credentials. */
  readonly pipeline: string;
  /** The key of the one step that gets them; undefined where every step of the pipeline does. */
  readonly step: string | undefined;
  readonly database: Database | undefined;
  /** Addresses of the pooled accounts; none for no pool. */
  readonly pool: readonly string[];
}

export interface Answers {
  readonly organization: { readonly slug: string; readonly id: string };
  /** By name, UUIDs. */
  readonly pipelines: Readonly<Record<string, string>>;
  readonly environments: readonly StarterEnvironment[];
  readonly contact: string;
  /** Keydesk's own project. */
  readonly project: string;
  /** By project, as far as they are known. */
  readonly projectNumbers: Readonly<Record<string, string>>;
  readonly region: string;
  /** Keydesk's URL, and the audience of job tokens. */
  readonly url: string;
  /** Of Terraform's state; undefined for a name to fill in. */
  readonly stateBucket: string | undefined;
}

export type Flag = keyof Written;

interface Pair {
  readonly name: string;
  readonly value: string;
}

const PROJECT = /^[a-z][a-z0-9-]{4,28}[a-z0-9]$/;
const DATABASE = /^(?:\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$/;
const POOL_SIZE = 3;

/** Each takes the text of one value, and says what is wrong with it. */
const CHECKS: Readonly<Record<Flag, (value: string) => string | undefined>> = {
  organization: (value) =>
    /^[a-z0-9][a-z0-9-]{0,254}$/.test(value)
      ? undefined
      : 'must be the slug of your Buildkite organization, such as acme-inc',
  organizationId: (value) => (UUID.test(value) ? placeholderIn(value) : 'must be a UUID. keydesk ids prints it'),
  pipeline: pairCheck('NAME=UUID, such as web=0184990a-4782-42b5-afc1-16715b10b1f0', ({ name, value }) =>
    PIPELINE_NAME.test(name) && UUID.test(value) ? placeholderIn(value) : INVALID,
  ),
  firestore: pairCheck('ENVIRONMENT=PROJECT or ENVIRONMENT=PROJECT/DATABASE', ({ name, value }) => {
    const { project, database } = toDatabase(value);
    if (!isName(name) || database.includes('/')) return INVALID;
    if (!PROJECT.test(project)) return projectMistake(project);
    return DATABASE.test(database)
      ? placeholderIn(project)
      : `has the database ID "${database}". A database ID has 4 to 63 lower-case letters, digits and -`;
  }),
  pool: pairCheck('ENVIRONMENT=PROJECT, with a project for pooled accounts only', ({ name, value }) =>
    isName(name) ? (PROJECT.test(value) ? placeholderIn(value) : projectMistake(value)) : INVALID,
  ),
  deploys: pairCheck('ENVIRONMENT=PIPELINE, with the name of a pipeline', ({ name, value }) =>
    isName(name) && PIPELINE_NAME.test(value) ? undefined : INVALID,
  ),
  contact: (value) => (contactSchema.safeParse(value).success ? undefined : 'must be printable ASCII without " and \\'),
  project: (value) => (PROJECT.test(value) ? placeholderIn(value) : 'must be the ID of a Google Cloud project'),
  projectNumber: pairCheck('PROJECT=NUMBER', ({ name, value }) =>
    PROJECT.test(name) && /^[1-9][0-9]{5,18}$/.test(value) ? undefined : INVALID,
  ),
  region: (value) => (/^[a-z]+-[a-z]+[0-9]+$/.test(value) ? undefined : 'must be a region, such as europe-west1'),
  url: (value) =>
    /^https:\/\/[a-z0-9.-]+(?::[0-9]+)?(?:\/[A-Za-z0-9._~/-]*)?$/.test(value)
      ? placeholderIn(value)
      : 'must be an https URL, such as https://keydesk.acme.example',
  stateBucket: (value) =>
    /^[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]$/.test(value) ? undefined : 'must be the name of a Cloud Storage bucket',
};

const INVALID = 'invalid';

function projectMistake(project: string): string {
  return `has the project ID "${project}". A project ID has 6 to 30 lower-case letters, digits and -`;
}

function pairCheck(form: string, check: (pair: Pair) => string | undefined): (value: string) => string | undefined {
  return (written) => {
    const pair = toPair(written);
    const problem = pair === undefined ? INVALID : check(pair);
    return problem === INVALID ? `must be ${form}` : problem;
  };
}

/** The problem of one value of a flag. */
export function problemOf(flag: Flag, value: string): string | undefined {
  return CHECKS[flag](value);
}

/** Flags without which `toAnswers` cannot work, in the order of the questions. `firestore` stands for itself or `pool`. */
export function missingFlags(written: Written): Flag[] {
  const required: Flag[] = [
    'organization',
    'organizationId',
    'pipeline',
    'firestore',
    'deploys',
    'contact',
    'project',
    'region',
    'url',
  ];
  return required.filter((flag) => {
    if (flag === 'firestore') return isEmpty(written.firestore) && isEmpty(written.pool);
    if (flag === 'deploys') return (written.pipeline?.length ?? 0) > 1 && isEmpty(written.deploys);
    if (flag === 'url') return written.url === undefined && defaultUrl(written) === undefined;
    return isEmpty(written[flag]);
  });
}

/** The URL that Cloud Run gives the function token; undefined while the project's number is not known. */
export function defaultUrl({ project, projectNumber = [], region }: Written): string | undefined {
  const number = projectNumber.map(toPair).find((pair) => pair?.name === project)?.value;
  return number === undefined || region === undefined ? undefined : `https://keydesk-token-${number}.${region}.run.app`;
}

/** @param written without missing flags @returns what is wrong with it instead, each with its flag */
export function toAnswers(written: Written): Answers | { readonly problems: readonly (readonly [Flag, string])[] } {
  const problems = (Object.keys(CHECKS) as Flag[]).flatMap((flag) =>
    [written[flag] ?? []].flat().flatMap((value): [Flag, string][] => {
      const problem = problemOf(flag, value);
      return problem === undefined ? [] : [[flag, `"${value}" ${problem}.`]];
    }),
  );
  if (problems.length > 0) return { problems };
  const ofLists = listProblems(written);
  if (ofLists.length > 0) return { problems: ofLists };
  const lists = toLists(written);
  const { organization = '', organizationId = '', contact = '', project = '', region = '' } = written;
  return {
    organization: { slug: organization, id: organizationId.toLowerCase() },
    pipelines: Object.fromEntries(lists.pipeline.map(({ name, value }) => [name, value.toLowerCase()])),
    environments: toEnvironments(lists),
    contact,
    project,
    projectNumbers: Object.fromEntries(pairsOf(written.projectNumber).map(({ name, value }) => [name, value])),
    region,
    url: written.url ?? defaultUrl(written) ?? '',
    stateBucket: written.stateBucket,
  };
}

/** What is wrong with lists whose values are right, in sentences: names that are repeated, missing or not known. */
export function listProblems(written: Written): [Flag, string][] {
  const lists = toLists(written);
  return [...repeated(lists), ...deployProblems(lists)];
}

/** The names of the environments, in the order in which the flags name them. */
export function environmentNames({ firestore = [], pool = [] }: Written): string[] {
  return [...new Set([...firestore, ...pool].flatMap((value) => toPair(value)?.name ?? []))];
}

export function pipelineNames({ pipeline = [] }: Written): string[] {
  return pipeline.flatMap((value) => toPair(value)?.name ?? []);
}

type Lists = Readonly<Record<'pipeline' | 'firestore' | 'pool' | 'deploys', readonly Pair[]>>;

function toLists({ pipeline, firestore, pool, deploys }: Written): Lists {
  return {
    pipeline: pairsOf(pipeline),
    firestore: pairsOf(firestore),
    pool: pairsOf(pool),
    deploys: pairsOf(deploys),
  };
}

function toEnvironments({ pipeline, firestore, pool, deploys }: Lists): StarterEnvironment[] {
  const ofProjects = new Map<string, number>();
  const pipelineOf = (name: string) => deploys.find((pair) => pair.name === name)?.value ?? pipeline[0]?.name ?? '';
  const names = [...new Set([...firestore, ...pool].map(({ name }) => name))];
  return names.map((name) => {
    const isShared = names.some((other) => other !== name && pipelineOf(other) === pipelineOf(name));
    const valueIn = (pairs: readonly Pair[]) => pairs.find((pair) => pair.name === name)?.value;
    const [database, pooled] = [valueIn(firestore), valueIn(pool)];
    // Environments that share a project have accounts of their own.
    const before = ofProjects.get(pooled ?? '') ?? 0;
    if (pooled !== undefined) ofProjects.set(pooled, before + 1);
    return {
      name,
      isProtected: isProtected(name, {}),
      pipeline: pipelineOf(name),
      step: isShared || isProtected(name, {}) ? `deploy-${name}` : undefined,
      database: database === undefined ? undefined : toDatabase(database),
      pool: pooled === undefined ? [] : poolOf(pooled, before),
    };
  });
}

function poolOf(project: string, nth: number): string[] {
  return Array.from(
    { length: POOL_SIZE },
    (_, index) => `ci-${String(nth * 100 + index + 1).padStart(3, '0')}@${project}.iam.gserviceaccount.com`,
  );
}

function deployProblems({ pipeline, firestore, pool, deploys }: Lists): [Flag, string][] {
  const environments = [...new Set([...firestore, ...pool].map(({ name }) => name))];
  const pipelines = pipeline.map(({ name }) => name);
  const unknown = (what: string, name: string, known: readonly string[]): [Flag, string][] =>
    known.includes(name) ? [] : [['deploys', `There is no ${what} "${name}". ${meantOrKnown(name, known)}`]];
  const missing = environments.filter((name) => !deploys.some((pair) => pair.name === name));
  return [
    ...deploys.flatMap(({ name, value }) => [
      ...unknown('environment', name, environments),
      ...unknown('pipeline', value, pipelines),
    ]),
    ...(pipelines.length > 1 && missing.length > 0
      ? [['deploys', `Name a pipeline for ${missing.join(', ')} too.`] satisfies [Flag, string]]
      : []),
  ];
}

function repeated(lists: Lists): [Flag, string][] {
  return (Object.keys(lists) as (keyof Lists)[]).flatMap((flag) => {
    const names = lists[flag].map(({ name }) => name);
    const twice = new Set(names.filter((name, index) => names.indexOf(name) < index));
    return [...twice].map((name): [Flag, string] => [flag, `It has ${name} twice.`]);
  });
}

function pairsOf(values: readonly string[] = []): Pair[] {
  return values.flatMap((value) => toPair(value) ?? []);
}

function toPair(written: string): Pair | undefined {
  const at = written.indexOf('=');
  return at < 1 ? undefined : { name: written.slice(0, at), value: written.slice(at + 1) };
}

function toDatabase(value: string): Database {
  const [project = '', database = '(default)', ...more] = value.split('/');
  return { project, database: [database, ...more].join('/') };
}

function isName(name: string): boolean {
  return nameSchema.safeParse(name).success;
}

function isEmpty(value: string | readonly string[] | undefined): boolean {
  return value === undefined || value.length === 0;
}
