// Judges requests of the past by a policy: what it would decide otherwise than the policy of the time did. Keeps one example a change,
// so that a log of any length needs little memory.

import type { Policy } from '../policy/policy.ts';
import type { ExampleJob } from '../policy-analysis/jobs.ts';
import type { JobRequest } from './job-request.ts';
import { createJudge, type Judgement } from './judge.ts';
import { addUse, UNUSED, type Use } from './use.ts';

export const CHANGES = ['refused', 'credential_gone', 'granted', 'other_rule', 'cannot_tell'] as const;
/** `refused`, `granted` and `other_rule` say what the policy decides now. */
export type Changed = (typeof CHANGES)[number];

/** Requests of one pipeline for one credential about which the policy decides otherwise, in the same way. */
export interface RequestChange {
  readonly change: Changed;
  readonly credential: string;
  readonly pipeline_slug: string;
  /** The rule that granted; undefined when the request was refused, or its rule is not on record. */
  readonly rule_before: string | undefined;
  /** Why the request was refused; undefined when it was granted. */
  readonly reason_before: string | undefined;
  /** What the policy decides of the example. */
  readonly now: Judgement;
  readonly requests: Use;
  readonly example: { readonly request_id: string | undefined; readonly job: ExampleJob };
}

export interface ReplayResult {
  /** The refused come first, then those that are granted now. */
  readonly changes: readonly RequestChange[];
  readonly requests: Use;
  readonly granted_as_before: number;
  readonly refused_as_before: number;
  /** How many of those that are granted as before may be granted by another rule: the events do not say. */
  readonly rule_not_known: number;
}

export class Replay {
  readonly #policy: Policy;
  readonly #sha256: string | undefined;
  readonly #judge;
  readonly #changes = new Map<string, RequestChange>();
  readonly #same = { granted: 0, refused: 0, ruleNotKnown: 0 };
  #requests = UNUSED;

  /** @param sha256 of the policy: what it decided itself it decides in the same way again */
  constructor(policy: Policy, sha256?: string) {
    this.#policy = policy;
    this.#sha256 = sha256;
    this.#judge = createJudge(policy);
  }

  add(request: JobRequest): void {
    this.#requests = addUse(this.#requests, request.at);
    const now = this.#judge(request.credential, request.claims, request.conditions);
    const isSame = this.#sha256 !== undefined && request.policy_sha256 === this.#sha256;
    const change = now.outcome === 'cannot tell' && isSame ? undefined : changeOf(request, now);
    if (change) this.#record(request, change, now);
    else if (now.outcome === 'refused' || !request.outcome.allowed) this.#same.refused += 1;
    else {
      this.#same.granted += 1;
      if (now.outcome === 'granted' && now.rules.length > 1) this.#same.ruleNotKnown += 1;
    }
  }

  result(): ReplayResult {
    const order = (change: RequestChange) => CHANGES.indexOf(change.change);
    return {
      changes: [...this.#changes.values()].sort(
        (left, right) => order(left) - order(right) || right.requests.count - left.requests.count,
      ),
      requests: this.#requests,
      granted_as_before: this.#same.granted,
      refused_as_before: this.#same.refused,
      rule_not_known: this.#same.ruleNotKnown,
    };
  }

  #record(request: JobRequest, change: Changed, now: Judgement): void {
    const { credential, pipeline_slug, outcome, at, request_id, claims } = request;
    const rule_before = outcome.allowed ? outcome.rule : undefined;
    const key = JSON.stringify([change, credential, pipeline_slug, rule_before, outcome.reason, keyOf(now)]);
    const known = this.#changes.get(key);
    if (known) this.#changes.set(key, { ...known, requests: addUse(known.requests, at) });
    else
      this.#changes.set(key, {
        ...{ change, credential, pipeline_slug, rule_before, reason_before: outcome.reason, now },
        requests: addUse(UNUSED, at),
        example: { request_id, job: exampleOf(this.#policy, claims) },
      });
  }
}

function changeOf({ outcome }: JobRequest, now: Judgement): Changed | undefined {
  if (now.outcome === 'cannot tell') return 'cannot_tell';
  if (!outcome.allowed) return now.outcome === 'granted' ? 'granted' : undefined;
  if (now.outcome === 'refused') return now.reason === 'unknown_credential' ? 'credential_gone' : 'refused';
  return outcome.rule === undefined || now.rules.includes(outcome.rule) ? undefined : 'other_rule';
}

/** Without the values of claims: there would be a group for each branch. */
function keyOf(now: Judgement): unknown[] {
  if (now.outcome === 'granted') return [now.rules];
  if (now.outcome === 'cannot tell') return [now.rules, now.claims];
  return [now.reason, now.nearest?.rule, now.nearest?.mismatches.map(({ claim }: { claim: string }) => claim)];
}

/** The claims that the policy looks at, as far as they are known. */
function exampleOf({ rules }: Policy, claims: JobRequest['claims']): ExampleJob {
  const named = new Set(['organization_id', ...rules.flatMap(({ match }) => Object.keys(match))]);
  // A rule that names branches looks at tags too.
  if (named.has('build_branch')) named.add('build_tag');
  const known = [...named].flatMap((claim) => {
    const value = claims.get(claim);
    return value === undefined ? [] : [[claim, value] as const];
  });
  return new Map(known);
}
