// Which grants a request to `POST /kill` means, and whether what it names exists. A selector with a misspelt name would end nothing, and
// would block nothing.

import { closestName } from '../../shared/core/closest-name.ts';
import {
  EXACT_FIELDS,
  type ExactField,
  type Selector,
  selectedValues,
  selects,
} from '../../shared/core/kill-switch.ts';
import type { KillRequest } from '../../shared/core/operator-api/admin.ts';
import { describeSelector, fromWire } from '../../shared/core/operator-api/selector.ts';
import type { Policy } from '../../shared/core/policy/policy.ts';
import { visible } from '../../shared/core/policy/visible-text.ts';
import type { AdminDeps } from '../../shared/wiring/admin.ts';
import { policyInForce } from '../runtime/policy-in-force.ts';
import type { Failure } from '../runtime/private-handler.ts';

/** Pages of live grants in which a name like a misspelt one is looked for. */
const MAX_HINT_PAGES = 20;

type Deps = Pick<AdminDeps, 'lookUpToken' | 'deploymentLedger' | 'readerLedger' | 'killSwitchLedger'>;

/** The selector of a request. For a token, it selects the one grant that the token belongs to. Throws DependencyError. */
export async function resolveSelector(deps: Deps, body: KillRequest): Promise<Selector | Failure> {
  const { selector = {}, pipeline, token_sha256, all } = body;
  const named = pipeline !== undefined || Object.values(selector).some((value) => value !== undefined);
  if ([named, token_sha256 !== undefined, all].filter(Boolean).length !== 1)
    return {
      status: 400,
      error: 'invalid_request',
      description: 'Give selector or pipeline, or token_sha256, or all: one of the three.',
    };
  if (all) return { issued_since: 0 };
  if (token_sha256 !== undefined) return ofToken(deps, token_sha256);
  if (pipeline === undefined) return fromWire(selector);
  const known = (await policyInForce(deps.deploymentLedger))?.pipelines ?? {};
  const pipeline_id = known[pipeline];
  if (pipeline_id === undefined) return unknownName('pipeline', pipeline, Object.keys(known));
  return { ...fromWire(selector), pipeline_id };
}

async function ofToken({ lookUpToken }: Deps, token_sha256: string): Promise<Selector | Failure> {
  const grant = await lookUpToken(token_sha256);
  if (grant) return { job_id: grant.subject.id, credential: grant.credential };
  return nothingSelected(
    `No grant on record has a token with the SHA-256 ${token_sha256}. Either Keydesk did not issue it, or it has expired and was removed from the record.`,
  );
}

/** Where a name in a selector is in no grant on record and not in the policy. Throws DependencyError. */
export async function problemOfNames(deps: Deps, selector: Selector): Promise<Failure | undefined> {
  const named = EXACT_FIELDS.filter((field) => selector[field] !== undefined);
  if (named.length === 0) return undefined;
  const policy = await policyInForce(deps.deploymentLedger);
  for (const field of named) {
    const value = selector[field] ?? '';
    if (namesOf(policy, field).includes(value) || (await isOnRecord(deps, field, value))) continue;
    const known = [...namesOf(policy, field), ...(await liveValues(deps, field))];
    return unknownName(field, value, known, ' To block it all the same, add --block --unknown-ok.');
  }
  return undefined;
}

export function nothingMatches(selector: Selector): Failure {
  return nothingSelected(
    `Nothing was done: no live grant matches ${visible(describeSelector(selector))}. See: keydesk grants list. To refuse new requests that match, add --block.`,
  );
}

async function isOnRecord(deps: Deps, field: ExactField, value: string): Promise<boolean> {
  const { readerLedger, deploymentLedger } = deps;
  if (await readerLedger.everHad(field, value)) return true;
  // A grant that was renewed names its earlier policy and approver in a list that no query finds.
  if (field === 'approved_by') return approvedBefore(deps, value);
  return field === 'policy_sha256' && (await deploymentLedger.policy(value)) !== undefined;
}

async function approvedBefore({ killSwitchLedger }: Deps, approved_by: string): Promise<boolean> {
  for await (const { grants } of killSwitchLedger.liveGrants())
    if (grants.some((grant) => selects({ approved_by }, grant))) return true;
  return false;
}

function namesOf(policy: Policy | undefined, field: ExactField): string[] {
  if (field === 'credential') return Object.keys(policy?.credentials ?? {});
  if (field === 'environment') return Object.keys(policy?.environments ?? {});
  return field === 'pipeline_id' ? Object.values(policy?.pipelines ?? {}) : [];
}

async function liveValues({ killSwitchLedger }: Deps, field: ExactField): Promise<string[]> {
  const values = new Set<string>();
  let pages = 0;
  for await (const { grants } of killSwitchLedger.liveGrants()) {
    for (const grant of grants) {
      const value = selectedValues(grant)[field];
      if (value !== null) values.add(value);
    }
    pages += 1;
    if (pages === MAX_HINT_PAGES) break;
  }
  return [...values];
}

function unknownName(field: string, value: string, known: readonly string[], toBlock = ''): Failure {
  // A UUID that looks alike is of another job or agent, and no correction.
  const closest =
    field === 'job_id' || field === 'agent_id' || field === 'approved_by' ? undefined : closestName(value, known);
  const hint = closest === undefined ? '' : ` Did you mean ${visible(closest)}?`;
  return nothingSelected(
    `Nothing was done: no grant on record has ${field}=${visible(value)}, and the policy does not name it.${hint} See: keydesk grants list.${toBlock}`,
  );
}

function nothingSelected(description: string): Failure {
  return { status: 404, error: 'nothing_selected', description };
}
