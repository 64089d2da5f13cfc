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
];
