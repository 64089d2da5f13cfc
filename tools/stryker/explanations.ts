// Mutants that survive and why no test should notice them. A run reports an explanation that explains nothing any more.

export interface Explanation {
  /** Path in the repository. */
  readonly file: string;
  /** The lines as they are, and as the mutant has them, with single spaces: a run prints both. */
  readonly from: string;
  readonly becomes: string;
  readonly why: string;
}

const WORDS = 'Only the words of a message change, which no test asserts.';

const JUDGE = 'shared/core/conditions/judge.ts';
const HAS_BUILD = 'There is an unblock at this point, and so a build. The compiler needs the question mark.';
const DECIDE = 'shared/core/conditions/decide.ts';
const ONE_UNBLOCK = 'No two unblocks of a record are of one job.';
const HAS_REFUSAL =
  'A decision with conditions has a rule, and its refusal is one of the five. The compiler needs the default.';
const NO_UNDEFINED = 'No record has the key "undefined". The compiler needs the comparison.';

export const EXPLANATIONS: readonly Explanation[] = [
  {
    file: 'shared/core/retry-after.ts',
    from: "const seconds = parseSeconds(header) ?? secondsUntil(header ?? '', now);",
    becomes: 'const seconds = parseSeconds(header) ?? secondsUntil(header ?? "Stryker was here!", now);',
    why: 'Neither text is a date.',
  },
  {
    file: 'shared/core/retry-after.ts',
    from: 'return header !== null && /^[0-9]{1,9}$/.test(header) ? Number(header) : undefined;',
    becomes: 'return true && /^[0-9]{1,9}$/.test(header) ? Number(header) : undefined;',
    why: 'The expression reads null as the text "null", which it does not match. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/retry-after.ts',
    from: String.raw`const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date)`,
    becomes: String.raw`const at = /[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date)`,
    why: 'A second guard holds: a date with text before it differs from the same time as JavaScript writes it.',
  },
  {
    file: 'shared/core/retry-after.ts',
    from: String.raw`const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/.test(date)`,
    becomes: String.raw`const at = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT/.test(date)`,
    why: 'A second guard holds: a date with text after it differs from the same time as JavaScript writes it.',
  },
  {
    file: 'shared/core/grant/end.ts',
    from: "if (by !== 'released' && by !== 'kill_switch') throw new Error('the end of a job is marked on the job');",
    becomes: `if (by !== 'released' && by !== 'kill_switch') throw new Error("");`,
    why: WORDS,
  },
  {
    file: 'shared/core/grant/end.ts',
    from: "throw new Error('a grant without a lease to give up');",
    becomes: 'throw new Error("");',
    why: WORDS,
  },
  {
    file: 'shared/core/grant/end.ts',
    from: 'if (ended_by !== null) return { ended_by, kill_switch_id };',
    becomes: 'if (ended_by !== null) return {};',
    why: 'The fields are those of the record into which they are merged.',
  },
  {
    file: 'shared/core/grant/end.ts',
    from: 'return at !== undefined && at >= from - MAX_JOB_TOKEN_AGE_MS && at <= until + FINISH_TIME_TOLERANCE_MS ? at : null;',
    becomes: 'return true && at >= from - MAX_JOB_TOKEN_AGE_MS && at <= until + FINISH_TIME_TOLERANCE_MS ? at : null;',
    why: 'Undefined is not later than any time. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/grant/reserve.ts',
    from: "const access = toAccessRecord(credential, { existing, lease: lease ?? '', now });",
    becomes: 'const access = toAccessRecord(credential, { existing, lease: lease ?? "Stryker was here!", now });',
    why: 'A pooled grant has a lease here, or is refused because its kind changed. Other kinds do not read it.',
  },
  {
    file: 'shared/core/grant/reserve.ts',
    from: 'function holdsLease(existing: Grant | undefined, { excludedAccounts = [] }: IssueRequest): existing is PooledGrant {',
    becomes:
      'function holdsLease(existing: Grant | undefined, { excludedAccounts = ["Stryker was here"] }: IssueRequest): existing is PooledGrant {',
    why: 'No account has that name.',
  },
  {
    file: 'shared/core/grant/job-check.ts',
    from: 'const build = group[0]?.record.build;',
    becomes: 'const build = group[0].record.build;',
    why: 'A group has a first member. The compiler needs the question mark.',
  },
  {
    file: 'shared/core/kinds/pooled-service-account.ts',
    from: 'opensSame: (grant, { pool, retiring = [], storage }) =>',
    becomes: 'opensSame: (grant, { pool, retiring = ["Stryker was here"], storage }) =>',
    why: 'No account has that name.',
  },
  {
    file: 'shared/core/pool/lifecycle.ts',
    from: "if (existing?.state === 'shared' && existing.reusable_at >= needed) return { record: undefined };",
    becomes: "if (existing?.state === 'shared' && existing.reusable_at >= needed) return {};",
    why: 'A record that is absent reads as one that is undefined.',
  },
  {
    file: 'shared/core/pool/lifecycle.ts',
    from: 'return enabling_since !== null && enabling_since + ENABLE_CLAIM_MS > now;',
    becomes: 'return true && enabling_since + ENABLE_CLAIM_MS > now;',
    why: 'Null counts as 0, and a claim of 1970 has lapsed. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/pool/lifecycle.ts',
    from: 'if (existing.disabling_since !== null && existing.disabling_since + DISABLE_CLAIM_MS > now) return undefined;',
    becomes: 'if (true && existing.disabling_since + DISABLE_CLAIM_MS > now) return undefined;',
    why: 'Null counts as 0, and a claim of 1970 has lapsed. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/pool/forecast.ts',
    from: 'for (let at = now + SWEEP_EVERY_MS; at <= now + HORIZON_MS; at += SWEEP_EVERY_MS) {',
    becomes: 'for (let at = now - SWEEP_EVERY_MS; at <= now + HORIZON_MS; at += SWEEP_EVERY_MS) {',
    why: 'The two steps that it adds find the accounts that are free now, and demand has used up none of them.',
  },
  {
    file: 'shared/core/pool/forecast.ts',
    from: 'return accounts.reduce((last, account) => (account.leased_at > last.leased_at ? account : last)).pool_size;',
    becomes:
      'return accounts.reduce((last, account) => (account.leased_at >= last.leased_at ? account : last)).pool_size;',
    why: 'Of two leases in one millisecond, neither is the later one.',
  },
  {
    file: 'shared/core/webhook/timestamp.ts',
    from: ".transform((text) => Date.parse(text ?? ''))",
    becomes: '.transform((text) => Date.parse(text ?? "Stryker was here!"))',
    why: 'Neither text is a time.',
  },
  {
    file: 'shared/core/webhook/event.ts',
    from: "if (job.type !== undefined && TYPES_WITHOUT_TOKEN.has(job.type)) return { kind: 'ignored', event };",
    becomes: "if (true && TYPES_WITHOUT_TOKEN.has(job.type)) return { kind: 'ignored', event };",
    why: 'The set does not have undefined. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/webhook/event.ts',
    from: 'return JOB_END_EVENTS.some((known) => known === event);',
    becomes: 'return JOB_END_EVENTS.every(known => known === event);',
    why: 'One event ends a job, so some and every say the same.',
  },
  {
    file: 'shared/core/webhook/signature.ts',
    from: 'if (equals < 0 || fields.has(name)) return undefined;',
    becomes: 'if (false || fields.has(name)) return undefined;',
    why: 'A second guard holds: a part without a name is a third field, or takes the place of one of the two.',
  },
  {
    file: 'shared/core/webhook/signature.ts',
    from: 'if (equals < 0 || fields.has(name)) return undefined;',
    becomes: 'if (equals <= 0 || fields.has(name)) return undefined;',
    why: 'A second guard holds: a part without a name is a third field, or takes the place of one of the two.',
  },
  {
    file: 'shared/core/webhook/signature.ts',
    from: "const timestamp = fields.get('timestamp') ?? '';",
    becomes: `const timestamp = fields.get('timestamp') ?? "Stryker was here!";`,
    why: 'Neither text is a timestamp.',
  },
  {
    file: 'shared/core/webhook/signature.ts',
    from: "const signature = fields.get('signature') ?? '';",
    becomes: `const signature = fields.get('signature') ?? "Stryker was here!";`,
    why: 'Neither text is a signature.',
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: `if (!jobToken) return missing('subject_token', "the job's OIDC token");`,
    becomes: `if (!jobToken) return missing('subject_token', "");`,
    why: WORDS,
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: "if (jobTokenType === undefined) return missing('subject_token_type', TOKEN_TYPES.join(' or '));",
    becomes: `if (jobTokenType === undefined) return missing('subject_token_type', TOKEN_TYPES.join(""));`,
    why: WORDS,
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: "if (!TOKEN_TYPES.includes(jobTokenType)) return invalid('subject_token_type', TOKEN_TYPES.join(' or '));",
    becomes: `if (!TOKEN_TYPES.includes(jobTokenType)) return invalid('subject_token_type', TOKEN_TYPES.join(""));`,
    why: WORDS,
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: "if (credentialName === undefined) return missing('audience', 'the name of a credential of the policy');",
    becomes: `if (credentialName === undefined) return missing('audience', "");`,
    why: WORDS,
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: `return invalid('lifetime', \`a whole number of seconds from \${MIN_TTL} to \${MAX_TTL}\`);`,
    becomes: "return invalid('lifetime', ``);",
    why: WORDS,
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: "const known = /^[a-z_]{1,32}$/.test(name) ? name : 'A parameter';",
    becomes: 'const known = /^[a-z_]{1,32}$/.test(name) ? name : "";',
    why: WORDS,
  },
  {
    file: 'shared/core/grant/activate.ts',
    from: "if (existing.state === 'expired') return mintRejected('took longer than the grant may live');",
    becomes: `if (existing.state === 'expired') return mintRejected("");`,
    why: WORDS,
  },
  {
    file: 'shared/core/grant/activate.ts',
    from: "return mintRejected('lives longer than is on record');",
    becomes: 'return mintRejected("");',
    why: WORDS,
  },
  {
    file: 'shared/core/grant/activate.ts',
    from: "return now >= latestExpiry ? mintRejected('took longer than its reservation lasts').refusal : undefined;",
    becomes: 'return now >= latestExpiry ? mintRejected("").refusal : undefined;',
    why: WORDS,
  },
  {
    file: 'shared/core/kill-switch.ts',
    from: 'if (issued_since !== undefined && surelyPast(latest, issued_since)) return false;',
    becomes: 'if (true && surelyPast(latest, issued_since)) return false;',
    why: 'No time has passed at an undefined one. The compiler needs the comparison.',
  },
  {
    file: 'shared/core/policy/claims.ts',
    from: "if (!known.success) return { invalidClaim: String(known.error.issues[0]?.path[0] ?? 'payload') };",
    becomes: "if (!known.success) return { invalidClaim: String(known.error.issues[0].path[0] ?? 'payload') };",
    why: 'A failure has an issue. The compiler needs the question mark.',
  },
  {
    file: 'shared/core/policy/claims.ts',
    from: 'return parsed.success && parsed.data !== undefined && String(parsed.data) === text;',
    becomes: 'return parsed.success || parsed.data !== undefined && String(parsed.data) === text;',
    why: 'The mutant means (A || B) && C: data is defined on success only, except for an empty text.',
  },
  {
    file: 'shared/core/policy/claims.ts',
    from: 'return parsed.success && parsed.data !== undefined && String(parsed.data) === text;',
    becomes: 'return parsed.success && true && String(parsed.data) === text;',
    why: 'Only an empty text is read as undefined, and differs from that word.',
  },
  {
    file: 'shared/core/policy/claims.ts',
    from: ".refine((value) => !CONTROL_CHARACTER.test(value), 'holds a control character')",
    becomes: '.refine((value) => !CONTROL_CHARACTER.test(value), "")',
    why: WORDS,
  },
  {
    file: 'shared/core/policy/claims.ts',
    from: ".refine((value) => value.isWellFormed(), 'is not well-formed Unicode');",
    becomes: '.refine((value) => value.isWellFormed(), "");',
    why: WORDS,
  },
  {
    file: 'shared/core/policy/pattern.ts',
    from: 'if (next.size === 0) return false;',
    becomes: 'if (false) return false;',
    why: 'The rest of the value is read in vain: from no position, none is reached.',
  },
  {
    file: 'shared/core/kinds/firestore.ts',
    from: "if (problem !== undefined) context.addIssue({ code: 'custom', message: problem });",
    becomes: `if (problem !== undefined) context.addIssue({ code: "", message: problem });`,
    why: 'zod takes any code for an issue of its own kind, and the message alone is shown.',
  },
  {
    file: 'shared/core/kinds/pooled-service-account.ts',
    from: "if (service_account === lease && existing.state !== 'expired') return { leased_at, past_leases };",
    becomes: "if (service_account === lease && existing.state !== 'expired') return {};",
    why: 'The fields are those of the record into which they are merged.',
  },
  {
    file: JUDGE,
    from: "const others: Exclude<ConditionVerdict, { readonly outcome: 'met' }>[] = [];",
    becomes: `const others: Exclude<ConditionVerdict, { readonly outcome: 'met' }>[] = ["Stryker was here"];`,
    why: 'A text has no outcome, so nothing finds it.',
  },
  {
    file: JUDGE,
    from: 'const actual = pipeline_id === undefined ? undefined : ownValue(team.record.pipelines, pipeline_id);',
    becomes: 'const actual = false ? undefined : ownValue(team.record.pipelines, pipeline_id);',
    why: NO_UNDEFINED,
  },
  {
    file: JUDGE,
    from: "if (!SOURCES_WITH_CREATOR.includes(claims.build_source ?? '')) return unmet('created_by', 'creator_unverified');",
    becomes: `if (!SOURCES_WITH_CREATOR.includes(claims.build_source ?? "Stryker was here!")) return unmet('created_by', 'creator_unverified');`,
    why: 'Neither text is a source of builds.',
  },
  {
    file: JUDGE,
    from: 'const latest = latestUnblock(build?.unblocks ?? [], step);',
    becomes: 'const latest = latestUnblock(build?.unblocks ?? ["Stryker was here"], step);',
    why: 'A text has no key of a step.',
  },
  {
    file: JUDGE,
    from: "if (!build?.creator_known) return { outcome: 'unknown', condition: 'approval', unknown: 'build' };",
    becomes: "if (!build.creator_known) return { outcome: 'unknown', condition: 'approval', unknown: 'build' };",
    why: HAS_BUILD,
  },
  {
    file: JUDGE,
    from: "if (use === 'break-glass' && !build?.reason) return notApproved('approval_without_reason');",
    becomes: "if (use === 'break-glass' && !build.reason) return notApproved('approval_without_reason');",
    why: HAS_BUILD,
  },
  {
    file: JUDGE,
    from: 'reason: build?.reason ?? null,',
    becomes: 'reason: build.reason ?? null,',
    why: HAS_BUILD,
  },
  {
    file: JUDGE,
    from: "const holds = named.every(([name, values]) => values.includes(ownValue(agent.claims, name) ?? ''));",
    becomes:
      'const holds = named.every(([name, values]) => values.includes(ownValue(agent.claims, name) ?? "Stryker was here!"));',
    why: 'A claim that the policy does not declare has no value, and no policy of the tests names either text.',
  },
  {
    file: JUDGE,
    from: 'const record = id === undefined ? undefined : facts.teams.get(id);',
    becomes: 'const record = false ? undefined : facts.teams.get(id);',
    why: NO_UNDEFINED,
  },
  {
    file: JUDGE,
    from: 'if (id === undefined || !record || record.read_at === null) return undefined;',
    becomes: 'if (false || !record || record.read_at === null) return undefined;',
    why: 'A second guard holds: without a UUID there is no record. The compiler needs the comparison.',
  },
  {
    file: JUDGE,
    from: 'if (id === undefined || !record || record.read_at === null) return undefined;',
    becomes: 'if (id === undefined || !record || false) return undefined;',
    why: 'A second guard holds: the expression reads null as 0, which is older than any policy allows. The compiler needs the comparison.',
  },
  {
    file: JUDGE,
    from: '(left, right) => right.unblocked_at - left.unblocked_at || (left.job_id < right.job_id ? -1 : 1),',
    becomes: '(left, right) => right.unblocked_at - left.unblocked_at || (left.job_id <= right.job_id ? -1 : 1),',
    why: ONE_UNBLOCK,
  },
  {
    file: 'shared/core/conditions/build-record.ts',
    from: '.sort((left, right) => left.unblocked_at - right.unblocked_at || (left.job_id < right.job_id ? -1 : 1))',
    becomes: '.sort((left, right) => left.unblocked_at - right.unblocked_at || (left.job_id <= right.job_id ? -1 : 1))',
    why: ONE_UNBLOCK,
  },
  {
    file: DECIDE,
    from: "const [refusal = { reason: 'no_matching_rule' }] = ORDER.flatMap((reason) =>",
    becomes: 'const [refusal = {}] = ORDER.flatMap((reason) =>',
    why: HAS_REFUSAL,
  },
  {
    file: DECIDE,
    from: "const [refusal = { reason: 'no_matching_rule' }] = ORDER.flatMap((reason) =>",
    becomes: 'const [refusal = { reason: "" }] = ORDER.flatMap((reason) =>',
    why: HAS_REFUSAL,
  },
  ...[
    "if (verdict.outcome === 'met') return {};",
    `if (verdict.outcome === 'met') return { reason: "" };`,
    "if (false) return { reason: 'no_matching_rule' };",
    `if (verdict.outcome === "") return { reason: 'no_matching_rule' };`,
  ].map((becomes) => ({
    file: DECIDE,
    from: "if (verdict.outcome === 'met') return { reason: 'no_matching_rule' };",
    becomes,
    why: 'A rule that holds has granted before. The compiler needs the line.',
  })),
  ...['return {};', 'return { reason: "" };'].map((becomes) => ({
    file: DECIDE,
    from: "return { reason: 'no_matching_rule' };",
    becomes,
    why: 'A second guard holds: where no refusal has a known reason, the response is that no rule matches.',
  })),
  ...['if (false || !judged) return traced;', "if (traced.outcome !== 'conditional' && !judged) return traced;"].map(
    (becomes) => ({
      file: DECIDE,
      from: "if (traced.outcome !== 'conditional' || !judged) return traced;",
      becomes,
      why: 'Rules with conditions have a verdict, and no others.',
    }),
  ),
  ...['team?.name', 'created_by?.team', 'approval?.by'].map((member) => ({
    file: DECIDE,
    from: `return conditions.${member};`,
    becomes: `return conditions.${member.replace('?', '')};`,
    why: 'Its rule has the condition that does not hold. The compiler needs the question mark.',
  })),
  {
    file: DECIDE,
    from: 'default: return undefined;',
    becomes: 'default:',
    why: 'Nothing follows, so the function returns undefined.',
  },
  {
    file: 'shared/core/oauth/exchange-request.ts',
    from: `return missing('actor_token', "the machine's token, or leave out actor_token_type");`,
    becomes: `return missing('actor_token', "");`,
    why: WORDS,
  },
];
