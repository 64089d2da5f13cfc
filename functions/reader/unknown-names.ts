// Names in the filters of `GET /grants` that nothing has. Nobody holds what a misspelt name asks for, and that is no evidence.

import { closestOrLonger } from '../../shared/core/closest-name.ts';
import { LIVE_STATES } from '../../shared/core/grant/grant.ts';
import { toGrantSummary } from '../../shared/core/operator-api/grant.ts';
import {
  type GrantFiltersOnWire,
  toGrantFilters,
  type UnknownName,
} from '../../shared/core/operator-api/grant-list.ts';
import type { Credential } from '../../shared/core/policy/credential.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import type { ReaderLedger } from '../../shared/operations/ports.ts';
import type { ReaderClients } from '../../shared/wiring/reader.ts';
import { policyInForce } from '../runtime/policy-in-force.ts';

/** Live grants that are looked through for the names that were meant. */
const LOOKED_THROUGH = 500;

type Filter = UnknownName['filter'];

/** Each name that no grant on record has and the policy in force does not name. Throws DependencyError. */
export async function unknownNames(
  { readerLedger, deploymentLedger }: ReaderClients,
  onWire: GrantFiltersOnWire,
): Promise<UnknownName[]> {
  const named = (['environment', 'credential', 'pipeline', 'account'] as const).flatMap((filter) => {
    const value = onWire[filter];
    return value === undefined ? [] : [{ filter, value }];
  });
  if (named.length === 0) return [];
  const policy = await policyInForce(deploymentLedger);
  const unknown: UnknownName[] = [];
  for (const { filter, value } of named) {
    const inPolicy = namesOf(policy, filter);
    if (inPolicy.includes(value) || (await everHad(readerLedger, filter, value))) continue;
    // A name of `pipelines` is not the slug by which grants are found.
    const byName = filter === 'pipeline' ? policy?.pipelines[value] : undefined;
    const names = [...inPolicy, ...(await liveValues(readerLedger, filter))];
    unknown.push({ filter, value, did_you_mean: byName ?? closestOrLonger(value, names) ?? null });
  }
  return unknown;
}

function namesOf(policy: Policy | undefined, filter: Filter): string[] {
  if (!policy) return [];
  if (filter === 'environment') return Object.keys(policy.environments);
  if (filter === 'credential') return Object.keys(policy.credentials);
  return filter === 'pipeline'
    ? Object.values(policy.pipelines)
    : Object.values(policy.credentials).flatMap(accountsOf);
}

function accountsOf(credential: Credential): readonly string[] {
  if (credential.kind === 'service_account') return [credential.email];
  return credential.kind === 'pooled_service_account' ? credential.pool : [];
}

function everHad(ledger: ReaderLedger, filter: Filter, value: string): Promise<boolean> {
  if (filter === 'account') return ledger.everHad('service_account', value);
  if (filter !== 'pipeline') return ledger.everHad(filter, value);
  const { pipeline_id } = toGrantFilters({ pipeline: value });
  return pipeline_id === undefined
    ? ledger.everHad('pipeline_slug', value)
    : ledger.everHad('pipeline_id', pipeline_id);
}

async function liveValues(ledger: ReaderLedger, filter: Filter): Promise<string[]> {
  const found = await ledger.findGrants({ states: LIVE_STATES }, { limit: LOOKED_THROUGH });
  const values = (found?.grants ?? []).map((grant) => {
    const { environment, credential, service_account, job } = toGrantSummary(grant, 0);
    return { environment, credential, account: service_account, pipeline: job.pipeline_slug }[filter];
  });
  return [...new Set(values.flatMap((value) => (typeof value === 'string' ? [value] : [])))];
}
