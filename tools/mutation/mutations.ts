// Every mutation that the tests must notice, and those that they need not.

import type { Mutation } from './mutation.ts';
import { BLOCKS } from './mutations/blocks.ts';
import { BOUNDARY } from './mutations/boundary.ts';
import { CONDITION_FACTS } from './mutations/condition-facts.ts';
import { CONDITIONS } from './mutations/conditions.ts';
import { COOLDOWN } from './mutations/cooldown.ts';
import { FIREBASE } from './mutations/firebase.ts';
import { IDENTITY_PROVIDERS } from './mutations/identity-providers.ts';
import { ISSUANCE } from './mutations/issuance.ts';
import { NARROWED } from './mutations/narrowed.ts';
import { PLUGIN } from './mutations/plugin.ts';
import { POLICY_ANALYSIS } from './mutations/policy-analysis.ts';
import { POLICY_ANSWERS } from './mutations/policy-answers.ts';
import { POLICY_LIMITS } from './mutations/policy-limits.ts';
import { POOL } from './mutations/pool.ts';
import { REVOCATION } from './mutations/revocation.ts';
import { SECRETS } from './mutations/secrets.ts';
import { SWEEP_GUARDS } from './mutations/sweep.ts';
import { TEAMS } from './mutations/teams.ts';

export const MUTATIONS: readonly Mutation[] = [
  ...ISSUANCE,
  ...BLOCKS,
  ...REVOCATION,
  ...POOL,
  ...COOLDOWN,
  ...SWEEP_GUARDS,
  ...SECRETS,
  ...NARROWED,
  ...BOUNDARY,
  ...PLUGIN,
  ...FIREBASE,
  ...CONDITIONS,
  ...CONDITION_FACTS,
  ...TEAMS,
  ...IDENTITY_PROVIDERS,
  ...POLICY_LIMITS,
  ...POLICY_ANALYSIS,
  ...POLICY_ANSWERS,
];
