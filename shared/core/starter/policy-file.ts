// The first policy of an organization, and its tests. Pure.

import { TO_BE_CREATED } from '../policy/api-key-to-be-created.ts';
import { identifiersYaml } from '../policy/pipeline-names.ts';
import { yamlQuoted, yamlScalar } from '../policy/yaml-scalar.ts';
import type { Answers, Database, StarterEnvironment } from './answers.ts';

/** The branch from which every environment is deployed. */
const BRANCH = 'main';
const SOURCES = ['webhook', 'ui'];

/** The credentials of an environment, by what they open. */
export function credentialsOf({ name, database, pool }: StarterEnvironment): {
  firestore: string | undefined;
  pool: string | undefined;
} {
  return {
    firestore: database && `${name}-config`,
    pool: pool.length > 0 ? `${name}-admin` : undefined,
  };
}

export function policyFile(answers: Answers): string {
  const { organization, url, contact, environments, pipelines } = answers;
  const databases = environments.flatMap(({ name, database }) => (database ? [{ name, database }] : []));
  const named = Object.entries(pipelines).map(([name, id]) => ({ name, slug: name, id }));
  const deploys = (name: string) => environments.some(({ pipeline }) => pipeline === name);
  const linesOf = (wanted: typeof named) => identifiersYaml(organization, wanted).split('\n').filter(Boolean);
  const [organizationLine = '', ...pipelineLines] = linesOf(named.filter(({ name }) => deploys(name)));
  const [, , ...otherLines] = linesOf(named.filter(({ name }) => !deploys(name)));
  return text(
    '# yaml-language-server: $schema=./keydesk-policy.schema.json',
    '# Which Google credentials Buildkite jobs get. Nothing is granted unless a rule says so.',
    'version: 1',
    organizationLine,
    '# Jobs request their OIDC token for this audience.',
    `audience: ${url}`,
    '# Whom developers ask: part of every refusal by policy.',
    `contact: ${yamlQuoted(contact)}`,
    '',
    'environments:',
    ...environments.flatMap(environmentLines),
    '',
    '# Names for the UUIDs of pipelines. `keydesk ids` prints them.',
    ...pipelineLines,
    ...(otherLines.length > 0 ? ['  # No rule is about these yet:'] : []),
    ...otherLines.map((line) => line.replace('  ', '  # ')),
    ...(databases.length > 0 ? ['', 'databases:'] : []),
    ...databases.flatMap(databaseLines),
    '',
    'credentials:',
    ...environments.flatMap(credentialLines),
    '',
    'rules:',
    ...environments.flatMap(ruleLines),
  );
}

function environmentLines(environment: StarterEnvironment): string[] {
  const name = yamlScalar(environment.name);
  if (!environment.isProtected) return [`  ${name}: {}`];
  return [
    '  # Guards for all of its credentials, and for every rule that grants one.',
    `  ${name}:`,
    '    maxTtl: 15m',
    '    revocation: [immediate, propagating]',
    '    require: [pipeline, build_source, step_key]',
  ];
}

function databaseLines({ name, database }: { name: string; database: Database }): string[] {
  return [
    `  ${yamlScalar(name)}:`,
    `    project: ${database.project}`,
    ...(database.database === '(default)' ? [] : [`    database: ${yamlScalar(database.database)}`]),
    '    # The first apply creates it. Then enter what `terraform output api_keys` prints.',
    `    apiKey: ${TO_BE_CREATED}`,
    `    signer: keydesk-signer@${database.project}.iam.gserviceaccount.com`,
  ];
}

function credentialLines(environment: StarterEnvironment): string[] {
  const { firestore, pool } = credentialsOf(environment);
  const ttl = environment.isProtected ? '10m' : '15m';
  const name = yamlScalar(environment.name);
  return [
    ...(firestore === undefined
      ? []
      : [
          '  # A Firestore token: collections and verbs, rejected on the next request when the job has ended.',
          `  ${firestore}:`,
          `    environment: ${name}`,
          `    ttl: ${ttl}`,
          '    firestore:',
          `      database: ${name}`,
          '      allow:',
          '        - { path: "config/{document=**}", verbs: [get, list, create, update] }',
        ]),
    ...(pool === undefined
      ? []
      : [
          '  # A service account for one job at a time, disabled when the job has ended. Its roles are in terraform/terraform.tfvars.',
          `  ${pool}:`,
          `    environment: ${name}`,
          `    ttl: ${ttl}`,
          '    serviceAccount:',
          '      pool:',
          ...environment.pool.map((email) => `        - ${email}`),
          '      scopes: [https://www.googleapis.com/auth/cloud-platform]',
        ]),
  ];
}

function ruleLines(environment: StarterEnvironment): string[] {
  const match = [
    `pipeline: ${yamlScalar(environment.pipeline)}`,
    `build_branch: ${BRANCH}`,
    `build_source: [${SOURCES.join(', ')}]`,
    ...stepOf(environment),
    ...runnerOf(environment),
  ];
  return [
    ...(environment.isProtected
      ? [
          '  # The person who starts a build chooses its branch. Use a pipeline that few people can build. On hosted agents, everybody who',
          '  # may build a pipeline can open a terminal in its jobs.',
        ]
      : []),
    `  - name: deploy to ${environment.name}`,
    '    match:',
    ...match.map((line) => `      ${line}`),
    `    grants: [${grantsOf(environment).join(', ')}]`,
  ];
}

function runnerOf({ isProtected }: StarterEnvironment): string[] {
  return isProtected ? ['runner_environment: self-hosted'] : [];
}

function grantsOf(environment: StarterEnvironment): string[] {
  return Object.values(credentialsOf(environment)).filter((name) => name !== undefined);
}

/** The tests: what a job of each rule gets, and what nobody else gets. */
export function testFile({ environments }: Answers): string {
  const runners = new Set(environments.flatMap(runnerOf));
  return text(
    '# yaml-language-server: $schema=./keydesk-policy-tests.schema.json',
    '# What the policy must grant and must not grant. `keydesk policy test` runs the cases, and proves the statements for all jobs.',
    'version: 1',
    '# What every job of the cases has, unless the case says otherwise.',
    `job: { ${[`build_branch: ${BRANCH}`, 'build_source: webhook', ...runners].join(', ')} }`,
    'cases:',
    ...environments.flatMap(casesOf),
    'statements:',
    ...environments.map(
      (environment) =>
        `  - { never: { environment: ${yamlScalar(environment.name)} }, unless: { ${jobOf(environment).join(', ')} } }`,
    ),
  );
}

/** What tells the jobs that deploy the environment from others. */
function jobOf(environment: StarterEnvironment): string[] {
  return [`pipeline: ${yamlScalar(environment.pipeline)}`, ...stepOf(environment)];
}

function stepOf({ step }: StarterEnvironment): string[] {
  return step === undefined ? [] : [`step_key: ${step}`];
}

function casesOf(environment: StarterEnvironment): string[] {
  const { name, pipeline, step, isProtected } = environment;
  const grants = grantsOf(environment).join(', ');
  const line = (title: string, claims: readonly string[], expected: string) => [
    `  - name: ${title}`,
    `    job: { ${[...jobOf(environment), ...claims].join(', ')} }`,
    `    ${expected}`,
  ];
  const refused = `refused: [${grants}]`;
  return [
    ...line(`${name} is deployed from ${BRANCH}`, [], `gets: [${grants}]`),
    ...line(`${name} is not deployed from another branch`, ['build_branch: feature/new'], refused),
    ...line(`${name} is not deployed by a build that the API started`, ['build_source: api'], refused),
    ...(isProtected
      ? line(`${name} is not deployed on a hosted agent`, ['runner_environment: buildkite-hosted'], refused)
      : []),
    ...(step === undefined
      ? []
      : [
          `  - name: ${name} is not deployed by another step`,
          `    job: { pipeline: ${yamlScalar(pipeline)}, step_key: test }`,
          `    ${refused}`,
        ]),
  ];
}

function text(...lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}
