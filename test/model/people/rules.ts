// The policy of histories about people and machines: who they are, and rules with every condition. The oracle reads the same rules,
// as they are written here, and nothing that the product makes of them.

import { createSetting } from '../setting.ts';

/** Buildkite users, by short names. */
export const PEOPLE = {
  ann: 'a0000000-0000-4000-8000-00000000000a',
  ben: 'a0000000-0000-4000-8000-00000000000b',
  cat: 'a0000000-0000-4000-8000-00000000000c',
  dan: 'a0000000-0000-4000-8000-00000000000d',
} as const;
export type Person = keyof typeof PEOPLE;
export const PERSONS = Object.keys(PEOPLE) as Person[];

export const TEAMS = {
  approvers: '7ea00000-0000-4000-8000-000000000001',
  platform: '7ea00000-0000-4000-8000-000000000002',
} as const;
export type TeamName = keyof typeof TEAMS;
export const TEAM_NAMES = Object.keys(TEAMS) as TeamName[];

export type Access = 'read_only' | 'build_and_read' | 'manage_build_and_read';
/** Each includes the ones before it. */
export const LEVELS: readonly Access[] = ['read_only', 'build_and_read', 'manage_build_and_read'];

export const STEPS = ['approve', 'glass'] as const;
export type Step = (typeof STEPS)[number];

export const PROVIDER_NAMES = ['cloud', 'cluster'] as const;
export type ProviderName = (typeof PROVIDER_NAMES)[number];
export const MACHINES_AUDIENCE = 'keydesk-model';
export const issuerOf = (provider: ProviderName) => `https://${provider}.model`;
/** Where the keys of a provider are. */
export const keysOf = (provider: ProviderName) => `https://${provider}.model/keys`;
/** The machine that rules mean. */
export const DEPLOYER = 'deployer';

const MINUTE = 60_000;
export const TEAMS_MAX_AGE_MS = 10 * MINUTE;

/** A rule of the policy. Whatever it names must hold. */
export interface Demands {
  readonly grants: readonly string[];
  /** The pipeline belongs to the team, with this access at least. */
  readonly team?: { readonly name: TeamName; readonly access: Access };
  /** A member started the build in the UI or by API. */
  readonly createdBy?: TeamName;
  readonly approval?: {
    readonly step: Step;
    readonly by: TeamName;
    readonly minutes: number;
    readonly notCreator: boolean;
    /** The build must have a reason. */
    readonly breakGlass: boolean;
  };
  readonly agent?: ProviderName;
}

/** By their names. */
export const RULES: Readonly<Record<string, Demands>> = {
  'of the team': { grants: ['config'], team: { name: 'platform', access: 'build_and_read' } },
  'started by the team': { grants: ['config'], createdBy: 'platform' },
  approved: {
    grants: ['admin'],
    approval: { step: 'approve', by: 'approvers', minutes: 60, notCreator: true, breakGlass: false },
  },
  'on the machine': { grants: ['cache'], team: { name: 'platform', access: 'read_only' }, agent: 'cloud' },
  'approved in the cluster': {
    grants: ['cache'],
    approval: { step: 'approve', by: 'platform', minutes: 90, notCreator: false, breakGlass: false },
    agent: 'cluster',
  },
  'in an emergency': {
    grants: ['export'],
    approval: { step: 'glass', by: 'approvers', minutes: 20, notCreator: true, breakGlass: true },
  },
};

const providers = Object.fromEntries(
  PROVIDER_NAMES.map((name) => [
    name,
    {
      issuer: issuerOf(name),
      keys: keysOf(name),
      audience: MACHINES_AUDIENCE,
      algorithms: ['ES256'],
      maxTokenLifetime: '10m',
      claims: { account: { setBy: 'platform' } },
    },
  ]),
);

function toRule([name, { grants, team, createdBy, approval, agent }]: [string, Demands]) {
  return {
    name,
    match: {
      pipeline_slug: ['deploy', 'release'],
      ...(team && { team }),
      ...(createdBy && { build_source: ['ui', 'api'], created_by: { team: createdBy } }),
    },
    ...(approval && {
      approval: {
        step: approval.step,
        by: approval.by,
        within: `${approval.minutes}m`,
        ...(approval.notCreator && { not: 'creator' }),
        ...(approval.breakGlass && { use: 'break-glass' }),
      },
    }),
    ...(agent && { agent: { provider: agent, claims: { account: DEPLOYER } } }),
    grants,
  };
}

export const CONDITIONAL = createSetting({
  pool: ['pool-one', 'pool-two', 'pool-three'],
  ttl: { config: 15, export: 10, admin: 15, cache: 15 },
  rules: [
    `limits: { teamsMaxAge: ${TEAMS_MAX_AGE_MS / MINUTE}m }`,
    `teams: ${JSON.stringify(TEAMS)}`,
    `identityProviders: ${JSON.stringify(providers)}`,
    `rules: ${JSON.stringify(Object.entries(RULES).map(toRule))}`,
  ].join('\n'),
});
