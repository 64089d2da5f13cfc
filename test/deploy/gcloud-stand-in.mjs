// A gcloud for tests: records every call, remembers what was created and answers accordingly, and touches nothing. FAIL_AT
// makes the call that contains its text fail as gcloud does.

import { appendFileSync, existsSync, readFileSync } from 'node:fs';

/** Marks a recorded call that failed, and so created nothing. */
const FAILED = '--failed';

const args = process.argv.slice(2);
const log = process.env.STAND_IN_LOG ?? fail('STAND_IN_LOG is not set');
const before = existsSync(log)
  ? readFileSync(log, 'utf8')
      .trimEnd()
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  : [];
const failing = process.env.FAIL_AT && args.join(' ').includes(process.env.FAIL_AT);
appendFileSync(log, `${JSON.stringify(failing ? [...args, FAILED] : args)}\n`);
if (failing) fail(process.env.FAIL_WITH ?? 'PERMISSION_DENIED: refused');

const VERBS = [
  'describe',
  'create',
  'deploy',
  'list',
  'enable',
  'update',
  'cp',
  'get-iam-policy',
  'add-iam-policy-binding',
];
const asked = read(args);
const done = before
  .filter((call) => !call.includes(FAILED))
  .map(read)
  .filter(({ verb }) => !['describe', 'list', 'get-iam-policy'].includes(verb));
const print = (lines) => process.stdout.write(lines.map((line) => `${line}\n`).join(''));

if (asked.verb === 'describe') {
  if (asked.group === 'projects') print(['123456789012']);
  else {
    const made = done.filter(
      (call) => call.group === asked.group && call.name === asked.name && call.flags.project === asked.flags.project,
    );
    const copied =
      asked.group === 'storage objects' && done.some(({ verb, name }) => verb === 'cp' && name === asked.name);
    if (made.length === 0 && !copied) fail(`NOT_FOUND: ${asked.name}`);
    const labels = /^value\(labels/.test(asked.flags.format) && made.at(-1)?.flags['update-labels'];
    print([labels ? labels.split('=')[1] : asked.name]);
  }
} else if (asked.verb === 'get-iam-policy') {
  const bound = done.filter(
    (call) => call.verb === 'add-iam-policy-binding' && call.group === asked.group && call.name === asked.name,
  );
  print(
    bound.map(({ flags }) =>
      [flags.role, flags.member, /title=(.*)$/.exec(flags.condition ?? '')?.[1] ?? ''].join('\t'),
    ),
  );
} else if (asked.verb === 'list') {
  const same = done.filter(
    ({ group, flags }) =>
      group === asked.group && flags.project === asked.flags.project && flags.database === asked.flags.database,
  );
  const of = ({ project, database, 'collection-group': group }) =>
    `projects/${project}/databases/${database}/collectionGroups/${group}`;
  if (asked.group === 'services') print(same.flatMap(({ names }) => names));
  else if (asked.group === 'firestore indexes composite')
    print(same.map(({ flags, fields }, at) => `${of(flags)}/indexes/index${at}\t${[...fields, '__name__'].join(';')}`));
  else print(same.map(({ flags, name }) => `${of(flags)}/fields/${name}`));
}

function read(call) {
  const words = call.filter((word) => !word.startsWith('--'));
  const at = words.findIndex((word) => VERBS.includes(word));
  const flags = Object.fromEntries(
    call
      .filter((word) => word.startsWith('--'))
      .map((word) => [/^--([^=]+)/.exec(word)?.[1], word.split('=').slice(1).join('=')]),
  );
  const verb = words[at];
  const names = words.slice(at + 1).filter((word) => word !== 'http');
  const name = verb === 'cp' ? names[1] : (names[0] ?? flags.database);
  const fields = call.flatMap((word) => /^--field-config=field-path=([^,]+)/.exec(word)?.[1] ?? []);
  const group = words.slice(0, at).join(' ');
  return { group, verb, names, name: group === 'iam service-accounts' ? name.split('@')[0] : name, flags, fields };
}

function fail(message) {
  process.stderr.write(`ERROR: (gcloud) ${message}\n`);
  process.exit(1);
}
