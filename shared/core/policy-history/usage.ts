// What of a policy the requests of a log used: rules, what they grant, patterns, credentials and pipelines.

import type { Verb } from '../kinds/firestore.ts';
import { matchesPattern } from '../policy/pattern.ts';
import type { Policy } from '../policy/policy.ts';
import type { Rule } from '../policy/rule.ts';
import type { JobRequest } from './job-request.ts';
import { createJudge } from './judge.ts';
import { addUse, UNUSED, type Use, Uses } from './use.ts';

/** Something that a request can use. */
export type Part =
  | { readonly kind: 'rule'; readonly rule: string }
  | { readonly kind: 'grant'; readonly rule: string; readonly credential: string }
  | { readonly kind: 'pattern'; readonly rule: string; readonly claim: string; readonly pattern: string }
  | { readonly kind: 'credential'; readonly credential: string }
  | { readonly kind: 'pipeline'; readonly pipeline: string }
  | { readonly kind: 'access'; readonly credential: string; readonly path: string; readonly verb: Verb };

export interface PartUse {
  readonly part: Part;
  readonly use: Use;
  /** Requests that may have used it: the events do not say. */
  readonly maybe: Use;
}

/** Collects what requests since a time used. A request uses the rule that grants it by this policy, and the rule that granted it. */
export class Usage {
  readonly #policy: Policy;
  readonly #since: number;
  readonly #judge;
  readonly #rules: ReadonlyMap<string, Rule>;
  readonly #certain = new Uses();
  readonly #maybe = new Uses();
  allowed: Use = UNUSED;

  constructor(policy: Policy, since: number) {
    this.#policy = policy;
    this.#since = since;
    this.#judge = createJudge(policy);
    this.#rules = new Map(policy.rules.map((rule) => [rule.name, rule]));
  }

  add(request: JobRequest): void {
    const { outcome, at, credential, claims } = request;
    if (!outcome.allowed || (at !== undefined && at < this.#since)) return;
    this.allowed = addUse(this.allowed, at);
    this.#use(this.#certain, { kind: 'credential', credential }, at);
    const id = claims.get('pipeline_id');
    for (const [pipeline, uuid] of Object.entries(this.#policy.pipelines))
      if (id === uuid) this.#use(this.#certain, { kind: 'pipeline', pipeline }, at);
      else if (id === undefined) this.#use(this.#maybe, { kind: 'pipeline', pipeline }, at);
    const now = this.#judge(credential, claims, request.conditions);
    const rules = 'rules' in now ? now.rules : [];
    const certain = now.outcome === 'granted' && rules.length === 1;
    for (const rule of rules) this.#useRule(certain ? this.#certain : this.#maybe, rule, request);
    if (outcome.rule !== undefined && !(certain && rules[0] === outcome.rule))
      this.#useRule(this.#certain, outcome.rule, request);
  }

  /** Every part of the policy. */
  parts(): PartUse[] {
    const { rules, credentials, pipelines } = this.#policy;
    const parts: Part[] = [
      ...rules.flatMap((rule) => partsOf(rule)),
      ...Object.keys(credentials).map((credential) => ({ kind: 'credential' as const, credential })),
      ...Object.keys(pipelines).map((pipeline) => ({ kind: 'pipeline' as const, pipeline })),
    ];
    return parts.map((part) => ({ part, use: this.#certain.of(keyOf(part)), maybe: this.#maybe.of(keyOf(part)) }));
  }

  #useRule(uses: Uses, name: string, { credential, claims, at }: JobRequest): void {
    const rule = this.#rules.get(name);
    if (!rule?.grants.includes(credential)) return;
    this.#use(uses, { kind: 'rule', rule: name }, at);
    this.#use(uses, { kind: 'grant', rule: name, credential }, at);
    for (const [claim, patterns] of Object.entries(rule.match)) {
      const value = claims.get(claim);
      for (const pattern of patterns)
        if (value === undefined) this.#use(this.#maybe, { kind: 'pattern', rule: name, claim, pattern }, at);
        else if (value !== null && matchesPattern(pattern, value))
          this.#use(uses, { kind: 'pattern', rule: name, claim, pattern }, at);
    }
  }

  #use(uses: Uses, part: Part, at: number | undefined): void {
    uses.add(keyOf(part), at);
  }
}

/** One pattern alone is as necessary as its rule. */
function partsOf({ name, match, grants }: Rule): Part[] {
  return [
    { kind: 'rule', rule: name },
    ...grants.map((credential) => ({ kind: 'grant' as const, rule: name, credential })),
    ...Object.entries(match).flatMap(([claim, patterns]) =>
      patterns.length === 1
        ? []
        : patterns.map((pattern) => ({ kind: 'pattern' as const, rule: name, claim, pattern })),
    ),
  ];
}

function keyOf(part: Part): string {
  return JSON.stringify(Object.values(part));
}
