// A Terraform root of the organization's own, made of the module's example. Pure.

import type { Answers, Database, StarterEnvironment } from './answers.ts';

const MODULE_SOURCE = /^( *source *= )"\.\.\/"$/m;
const NUMBER = 'PROJECT_NUMBER';

/**
 * @param source where Terraform finds the module: a path from the root, or another source of a module
 * @param stateBucket undefined for a name to fill in
 */
export function mainFile(example: string, source: string, stateBucket: string | undefined): string {
  if (!MODULE_SOURCE.test(example)) throw new Error('the example has no source of the module');
  return example
    .replace(
      /^# A root that composes[\s\S]*?\n\n/,
      '# Keydesk in Google Cloud. Keep the state in a bucket of your own.\n\n',
    )
    .replace(MODULE_SOURCE, (_, before) => `${before}${hclText(source)}`)
    .replace('"STATE_BUCKET"', (placeholder) => (stateBucket === undefined ? placeholder : hclText(stateBucket)));
}

/** @param example terraform.tfvars.example */
export function variablesFile(example: string, answers: Answers): string {
  const { project, region, environments, organization } = answers;
  const databases = environments.flatMap(({ database }) => database ?? []);
  const settings: Readonly<Record<string, readonly string[]>> = {
    project_id: [hclText(project)],
    project_numbers: hclMap(projectsOf(answers).map((one) => [one, hclText(answers.projectNumbers[one] ?? NUMBER)])),
    region: [hclText(region)],
    ledger_location: [hclText(region)],
    policy_file: [hclText('../policy.yaml')],
    archives_dir: [hclText('packages')],
    rules_files: hclMap(databases.map((one) => [hclText(`${one.project}/${one.database}`), hclText(rulesFileOf(one))])),
    pool_roles: poolRoles(environments),
    readers: ['{}'],
    admins: ['{}'],
    create_policy_accounts: ['true'],
    playbooks_url: [hclText(`https://github.com/${organization.slug}/keydesk/blob/main/docs/playbooks`)],
    notification_channels: ['[]'],
  };
  const filled = Object.entries(settings).reduce((text, [name, value]) => setVariable(text, name, value), example);
  const [first] = databases;
  return filled
    .replace(/^# Copy to[^\n]*\n/, '# Paths are relative to where terraform runs.\n')
    .replace(/^# .*$/gm, (comment) => (first ? comment.replaceAll('acme-staging', first.project) : comment));
}

/** The options of the preflight for the file of variables, without the policy: as in deploy/terraform/README.md. */
export function preflightOptions(answers: Answers): string {
  const { project, region, environments, projectNumbers } = answers;
  const touched = environments.flatMap(({ pool, database }) => (pool.length > 0 && database ? [database.project] : []));
  const numbers = projectsOf(answers).flatMap((one) => (projectNumbers[one] ? [`${one}=${projectNumbers[one]}`] : []));
  return [
    `--project ${project} --region ${region} --create-policy-accounts`,
    ...[...new Set(touched)].map((one) => `--touched ${one}`),
    ...(numbers.length > 0 ? [`--project-number ${numbers.join(' ')}`] : []),
  ].join(' ');
}

/** Keydesk's own project, and those of the pools. */
function projectsOf({ project, environments }: Answers): string[] {
  return [...new Set([project, ...environments.flatMap(({ pool }) => pool.map(projectOf))])];
}

/** The file of a database's security rules, in the folder of the root. */
function rulesFileOf({ project, database }: Database): string {
  return `${project}${database === '(default)' ? '' : `-${database}`}.rules`;
}

function poolRoles(environments: readonly StarterEnvironment[]): string[] {
  const pooled = environments.filter(({ pool }) => pool.length > 0);
  return hclMap(pooled.map(({ name, database }) => [name, database ? databaseRole(database) : '{}']));
}

/** What the environment's Firestore credential opens by rules, whole and by a role. */
function databaseRole({ project, database }: Database): string {
  const resource = hclText(`resource.name == "projects/${project}/databases/${database}"`);
  return [
    '{',
    '    database = {',
    `      project   = ${hclText(project)}`,
    '      role      = "roles/datastore.user"',
    `      condition = { title = "one database", expression = ${resource} }`,
    '    }',
    '  }',
  ].join('\n');
}

/** Replaces the assignment of a variable, on one line or in braces over several. */
function setVariable(text: string, name: string, value: readonly string[]): string {
  const assignment = new RegExp(`^(${name} *= )(?:\\{\\n[\\s\\S]*?^\\}|.*)$`, 'm');
  if (!assignment.test(text)) throw new Error(`terraform.tfvars.example does not set ${name}`);
  return text.replace(assignment, (_, before) => `${before}${value.join('\n')}`);
}

function hclMap(entries: readonly (readonly [key: string, value: string])[]): string[] {
  if (entries.length === 0) return ['{}'];
  const width = Math.max(...entries.map(([key]) => key.length));
  const oneLine = entries.every(([, value]) => !value.includes('\n'));
  return ['{', ...entries.map(([key, value]) => `  ${oneLine ? key.padEnd(width) : key} = ${value}`), '}'];
}

function hclText(value: string): string {
  return JSON.stringify(value);
}

function projectOf(email: string): string {
  return /@([^.]+)\./.exec(email)?.[1] ?? '';
}
