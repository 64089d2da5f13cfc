// Every kind of check of a deployment, in the order of the report.

import type { CheckKind } from '../checks/check.ts';
import { COULD_NOT_LOOK } from '../checks/run.ts';
import { accounts as namedAccounts } from '../preflight/account.ts';
import { apiKeys } from '../preflight/api-key.ts';
import { apiTokens } from '../preflight/api-token.ts';
import { apis } from '../preflight/apis.ts';
import { appCheck } from '../preflight/app-check.ts';
import { authentication } from '../preflight/authentication.ts';
import { buckets } from '../preflight/bucket.ts';
import { databases } from '../preflight/database.ts';
import { projects } from '../preflight/project.ts';
import { ingress } from '../preflight/public-access.ts';
import { tenants } from '../preflight/tenant.ts';
import { accountKeys, accounts } from './account.ts';
import { keyPolicies } from './account-key-policy.ts';
import { auditLogs, logArchive } from './audit-logs.ts';
import { auditQueries } from './audit-queries.ts';
import { clocks } from './clock.ts';
import { EXCEPTION_FINDINGS } from './exceptions.ts';
import { functions } from './function.ts';
import { health } from './health.ts';
import { bindings, inheritedBindings } from './iam/bindings.ts';
import { roles } from './iam/own-roles.ts';
import { issuerKeys } from './issuer-keys.ts';
import { indexes, ledger, timeToLive } from './ledger.ts';
import { logSinks } from './log-sinks.ts';
import { lookToken } from './look-token.ts';
import { scheduler } from './scheduler.ts';
import { secrets } from './secret.ts';
import { securityRules } from './security-rules.ts';
import type { DoctorTarget } from './target.ts';
import { type DescribedKind, WEBHOOK_KINDS } from './webhook.ts';

/** Those of the preflight that still apply. */
const OF_THE_PREFLIGHT: readonly CheckKind<DoctorTarget>[] = [
  projects,
  apis,
  ingress,
  databases,
  authentication,
  tenants,
  appCheck,
  apiKeys,
  namedAccounts,
  buckets,
];

export const DOCTOR_KINDS: readonly CheckKind<DoctorTarget>[] = [
  functions,
  health,
  bindings,
  inheritedBindings,
  roles,
  accounts,
  accountKeys,
  keyPolicies,
  secrets,
  scheduler,
  securityRules,
  ledger,
  indexes,
  timeToLive,
  auditLogs,
  logArchive,
  logSinks,
  auditQueries,
  issuerKeys,
  apiTokens,
  lookToken,
  ...OF_THE_PREFLIGHT,
];

/** Those of docs/DOCTOR.md, with the clock, which is looked at last. */
export const OWN_KINDS: readonly DescribedKind[] = [
  ...DOCTOR_KINDS.filter((kind) => !OF_THE_PREFLIGHT.includes(kind)),
  ...WEBHOOK_KINDS,
  clocks,
];
export const PREFLIGHT_KINDS: readonly DescribedKind[] = OF_THE_PREFLIGHT;

/** What an exception can name: could_not_look is not one of them. */
export const FINDING_IDS: readonly string[] = [
  ...new Set([...OWN_KINDS, ...PREFLIGHT_KINDS].flatMap(({ findings }) => Object.keys(findings))),
];

/** Every ID that the JSON can have. */
export const ALL_IDS: readonly string[] = [...FINDING_IDS, ...Object.keys(EXCEPTION_FINDINGS), COULD_NOT_LOOK];
