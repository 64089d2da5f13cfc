// A Google Cloud for tests, as gcloud shows it: it remembers what was made and granted, and refuses what Google or the SDK would
// refuse. A command, a flag's value or a format that it does not know fails loudly. What it copies of SDK 528 is said where it is
// copied. Knows nothing about processes.

import { readFileSync } from 'node:fs';
import { type Answer, type Command, expectFlag, Refused, refuse } from './gcloud-command.ts';
import { createIam } from './gcloud-iam.ts';

const DESK_NUMBER = '123456789012';
export function createWorld() {
  const services = new Map<string, Set<string>>();
  const iam = createIam();
  const { accounts, policies, find, bind, show } = iam;
  const things = new Set<string>();
  const lists = new Map<string, string[]>();
  const functions = new Map<string, { label: string; state: string }>();
  const forbidden = new Set<string>();
  const members = new Map<string, Set<string>>();

  const isOn = (project: string, api: string) => services.get(project)?.has(`${api}.googleapis.com`) ?? false;
  const enable = (project: string, ...apis: string[]) => {
    const on = services.get(project) ?? new Set();
    services.set(project, on);
    for (const api of apis) on.add(`${api}.googleapis.com`);
  };
  const make = (group: string, name: string) => {
    const key = `${group} ${name}`;
    if (things.has(key)) throw new Refused(`ALREADY_EXISTS: ${key}`);
    things.add(key);
    iam.policies.set(key, []);
  };
  const listed = (key: string) => {
    const list = lists.get(key) ?? [];
    lists.set(key, list);
    return list;
  };
  function deploy({ name, flag, has }: Command): Answer {
    const service = `run services ${name}`;
    if (!things.has(`storage objects ${flag('source')}`)) throw new Refused(`NOT_FOUND: ${flag('source')}`);
    if (!accounts.has(flag('run-service-account'))) throw new Refused('the run service account does not exist');
    const existing = functions.has(name);
    if (!existing) make('run services', name);
    // command_lib/functions/v2/deploy/command.py: the invoker is added for a new function that was said to be public, and for an
    // existing one added or removed when either flag is there. With --quiet a new one is private.
    const others = find('run services', name).filter(({ member }) => member !== 'allUsers');
    if (has('allow-unauthenticated'))
      policies.set(service, [...others, { role: 'roles/run.invoker', member: 'allUsers' }]);
    else if (existing && has('no-allow-unauthenticated')) policies.set(service, others);
    functions.set(name, { label: flag('update-labels').replace('keydesk_deployed=', ''), state: 'ACTIVE' });
    return [];
  }

  const described = (group: string, { name }: Command): Answer => {
    if (!things.has(`${group} ${name}`)) throw new Refused(`NOT_FOUND: ${name} was not found`);
    return [name];
  };
  const fieldOf = ({ name, project, flag }: Command) =>
    `projects/${project}/databases/${flag('database')}/collectionGroups/${flag('collection-group')}/fields/${name}`;
  const inDatabase = ({ project, flag }: Command, kind: string) => {
    const database = `${project}/${flag('database')}`;
    if (!things.has(`firestore databases ${database}`)) throw new Refused(`NOT_FOUND: database ${database}`);
    return listed(`${kind} ${database}`);
  };

  const handlers: Readonly<Record<string, (command: Command) => Answer>> = {
    'projects describe': ({ name }) => [name === 'acme-keydesk' ? DESK_NUMBER : '210987654321'],
    ...iam.handlers,
    'services list': ({ project }) => [...(services.get(project) ?? [])],
    'services enable': ({ names, project }) => {
      enable(project, ...names.map((name) => name.replace('.googleapis.com', '')));
      return [];
    },
    'resource-manager org-policies describe': ({ name, project, has }) => {
      if (!has('effective')) throw new Refused('only the effective policy tells');
      return [forbidden.has(`${project} ${name}`) ? 'True' : ''];
    },
    'resource-manager org-policies enable-enforce': ({ name, project }) => {
      forbidden.add(`${project} ${name}`);
      return [];
    },
    'identity groups memberships list': ({ project, flag }) => [...group(project, flag('group-email'))],
    'identity groups memberships add': ({ project, flag }) => {
      const email = flag('member-email');
      if (!accounts.has(email)) throw new Refused(`NOT_FOUND: ${email}`);
      if (group(project, flag('group-email')).has(email))
        throw new Refused('ALREADY_EXISTS: Membership already exists');
      group(project, flag('group-email')).add(email);
      return [];
    },
    'firestore databases describe': (command) =>
      described('firestore databases', { ...command, name: `${command.project}/${command.flag('database')}` }),
    'firestore databases create': ({ project, flag }) => {
      make('firestore databases', `${project}/${flag('database')}`);
      return [];
    },
    'firestore indexes composite list': (command) => inDatabase(command, 'indexes'),
    'firestore indexes composite create': (command) => {
      const indexes = inDatabase(command, 'indexes');
      const { project, flag, names } = command;
      const of = `projects/${project}/databases/${flag('database')}/collectionGroups/${flag('collection-group')}`;
      indexes.push(`${of}/indexes/index${indexes.length}\t${[...names, '__name__'].join(';')}`);
      return [];
    },
    'firestore indexes fields list': (command) => inDatabase(command, 'exempt'),
    'firestore indexes fields update': (command) => {
      inDatabase(command, 'exempt').push(fieldOf(command));
      return [];
    },
    'firestore fields ttls list': (command) => inDatabase(command, 'ttl'),
    'firestore fields ttls update': (command) => {
      inDatabase(command, 'ttl').push(fieldOf(command));
      return [];
    },
    'secrets describe': (command) => described('secrets', command),
    'secrets create': ({ name }) => made('secrets', name),
    'storage buckets describe': (command) => described('storage buckets', command),
    'storage buckets create': ({ name }) => made('storage buckets', name),
    'storage buckets update': (command) => described('storage buckets', command),
    'storage objects describe': (command) => described('storage objects', command),
    'storage cp': ({ names: [from = '', to = ''] }) => {
      readFileSync(from);
      return made('storage objects', to);
    },
    'artifacts repositories describe': (command) => described('artifacts repositories', command),
    'artifacts repositories create': ({ name }) => made('artifacts repositories', name),
    'functions describe': ({ name, flag }) => {
      expectFlag(flag, 'format', 'value(name,state,labels.keydesk_deployed)');
      const { label, state } = functions.get(name) ?? refuse(`NOT_FOUND: ${name}`);
      return [[name, state, label].join('\t')];
    },
    'functions deploy': deploy,
    'scheduler jobs describe': (command) => described('scheduler jobs', command),
    'scheduler jobs create http': ({ name }) => made('scheduler jobs', name),
    'auth print-access-token': () => ['token-of-gcloud'],
  };
  const WITH_POLICY = [
    'projects',
    'iam service-accounts',
    'secrets',
    'storage buckets',
    'artifacts repositories',
    'run services',
  ];
  const APIS: Readonly<Record<string, string>> = {
    iam: 'iam',
    firestore: 'firestore',
    secrets: 'secretmanager',
    artifacts: 'artifactregistry',
    functions: 'cloudfunctions',
    run: 'run',
    scheduler: 'cloudscheduler',
  };

  function made(kind: string, name: string): Answer {
    make(kind, name);
    return [];
  }

  function group(project: string, email: string): Set<string> {
    const found = members.get(email);
    // ConvertEmailToResourceName of command_lib/identity/groups/hooks.py says so of whatever is forbidden or not found.
    if (!isOn(project, 'cloudidentity') || !found)
      throw new Refused(
        `Invalid value for [--group-email]: There is no such a group associated with the specified argument:${email}`,
      );
    return found;
  }

  function run(args: readonly string[]): Answer {
    const words = args.filter((word) => !word.startsWith('--'));
    const flags = new Map(
      args.flatMap((word) => {
        const [, name, , value] = /^--([^=]+)(=([\s\S]*))?$/.exec(word) ?? [];
        return name === undefined ? [] : [[name, value ?? ''] as const];
      }),
    );
    const key = Object.keys(handlers).find((name) => `${words.join(' ')} `.startsWith(`${name} `));
    const policied = WITH_POLICY.find((name) => `${words.join(' ')} `.startsWith(`${name} `));
    const verb = words[policied?.split(' ').length ?? 0] ?? '';
    const fields = args.flatMap((word) => /^--field-config=field-path=([^,]+)/.exec(word)?.[1] ?? []);
    const names = fields.length > 0 ? fields : words.slice((key ?? `${policied} ${verb}`).split(' ').length);
    const command: Command = {
      names,
      name: names[0] ?? '',
      project: flags.get('project') ?? '',
      flag: (name) => flags.get(name) ?? '',
      has: (name) => flags.has(name),
    };
    const api = APIS[words[0] ?? ''];
    if (api && command.project && !isOn(command.project, api))
      throw new Refused(
        `SERVICE_DISABLED: ${api} has not been used in project ${command.project} before or it is disabled.`,
      );
    const handler = key && handlers[key];
    if (handler) return handler(command);
    if (policied && verb === 'get-iam-policy') return show(policied, command);
    if (policied && verb === 'add-iam-policy-binding') return bind(policied, command);
    throw new Error(words.join(' '));
  }

  const { addAccount, lag, roles, auditConfigs } = iam;
  return { run, enable, addAccount, make, lag, roles, policies, auditConfigs, functions, forbidden, members };
}
