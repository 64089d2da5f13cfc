// Every kind of check of the preflight, in the order of the report.

import type { CheckKind } from '../checks/check.ts';
import { accountRights, accounts } from './account.ts';
import { accountCreation, accountKeys } from './account-policies.ts';
import { accountQuota } from './account-quota.ts';
import { apiKeys } from './api-key.ts';
import { apiTokens, type TokenTarget } from './api-token.ts';
import { apis } from './apis.ts';
import { appCheck } from './app-check.ts';
import { authentication } from './authentication.ts';
import { bucketRights, buckets } from './bucket.ts';
import { conditionTokens } from './condition-tokens.ts';
import { databases } from './database.ts';
import { locationPolicy, locations } from './locations.ts';
import { permissions } from './permissions.ts';
import { projects } from './project.ts';
import { ingress, publicAccess } from './public-access.ts';
import type { Target } from './target.ts';
import { tenants } from './tenant.ts';

export const CHECK_KINDS: readonly CheckKind<Target>[] = [
  projects,
  apis,
  permissions,
  publicAccess,
  ingress,
  accountCreation,
  accountKeys,
  locationPolicy,
  locations,
  databases,
  authentication,
  tenants,
  appCheck,
  apiKeys,
  accounts,
  accountRights,
  accountQuota,
  buckets,
  bucketRights,
];

/** Those that look at Buildkite, with API tokens of its own. */
export const TOKEN_KINDS: readonly CheckKind<TokenTarget>[] = [conditionTokens, apiTokens];

export const FINDING_NAMES: readonly string[] = [...CHECK_KINDS, ...TOKEN_KINDS].flatMap(({ findings }) =>
  Object.keys(findings),
);
