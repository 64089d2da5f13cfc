// Guards where data comes in from outside or goes out: job tokens, webhooks, policies, HTTP, responses.

import type { Mutation } from '../mutation.ts';

const AGENT_TOKEN = 'shared/identity-providers/agent-token.ts';
const GRANT_RESERVE = 'shared/core/grant/reserve.ts';
const HELD_TOKEN = 'functions/token/held-token.ts';
const HTTP_SERVER = 'functions/runtime/http-server.ts';
const LOOKUP_LIMIT = 'functions/token/lookup-limit.ts';
const JWKS_CACHE = 'shared/oidc/jwks-cache.ts';
const WEBHOOK_HANDLER = 'functions/webhook/handler.ts';
const WEBHOOK_SCAN = 'shared/core/webhook/scan.ts';
const WEBHOOK_STATES = 'shared/core/webhook/scan-states.ts';

const AGENT_TOKEN_TEST = 'test/unit/identity-providers/agent-token.test.ts';
const DECIDE_WITH_FACTS_TEST = 'test/unit/operations/decide-with-facts.test.ts';
const BAD_WEBHOOKS_TEST = 'test/http/bad-webhooks.test.ts';
const REQUEST_BODIES_TEST = 'test/http/request-bodies.test.ts';
const GOOGLE_REFUSAL = 'shared/core/google-refusal.ts';
const GOOGLE_REFUSES_TEST = 'test/http/google-refusals.test.ts';
const TOKEN_HTTP_TEST = 'test/http/token-http.test.ts';
const UNKNOWN_TOKENS_TEST = 'test/http/unknown-tokens.test.ts';
const JWKS_CACHE_TEST = 'test/unit/oidc/jwks-cache.test.ts';
const WEBHOOK_EVENT = 'shared/core/webhook/event.ts';
const BUILDKITE_BUILD = 'shared/core/conditions/buildkite-build.ts';
const BUILDKITE_BUILDS = 'shared/buildkite/builds.ts';
const WEBHOOK_EVENT_TEST = 'test/unit/core/webhook/build-events.test.ts';
const APPROVAL_LOOKS_TEST = 'test/http/approval-looks.test.ts';
const WEBHOOK_SCAN_TEST = 'test/unit/core/webhook/scan.test.ts';

export const BOUNDARY: readonly Mutation[] = [
  {
    id: 'blocking-function-permanent',
    breaks: 'answers',
    means: 'The response says `permanent` when a blocking function starts cold or runs out of time.',
    edits: [
      {
        file: GOOGLE_REFUSAL,
        find: "['OPERATION_NOT_ALLOWED', 'sign_in_blocked'],",
        replace:
          "['OPERATION_NOT_ALLOWED', 'sign_in_blocked'], ['BLOCKING_FUNCTION_ERROR_RESPONSE', 'sign_in_blocked'],",
      },
    ],
    killers: [GOOGLE_REFUSES_TEST],
  },
  {
    id: 'part-of-a-pool-permanent',
    breaks: 'answers',
    means: 'The response says `permanent` although the pool has accounts that Google did not refuse.',
    edits: [
      {
        file: 'shared/operations/issue-token.ts',
        find: 'isAboutOneAccount(permanent) && !coversPool([...excludedAccounts, ...leased], request.credential)',
        replace: 'leased.length === 0',
      },
    ],
    killers: [GOOGLE_REFUSES_TEST],
  },
  {
    id: 'refused-narrowing-temporary',
    breaks: 'answers',
    means: 'The response asks for a retry where Google refuses to narrow the tokens of every account of the pool.',
    edits: [
      {
        file: 'shared/operations/issue-token.ts',
        find: 'if (!accountMayBeAtFault(error) || !another) throw error;',
        replace: 'if (!another) throw error;',
      },
    ],
    killers: [GOOGLE_REFUSES_TEST],
  },
  {
    id: 'time-out-permanent',
    breaks: 'answers',
    means: 'The response says `permanent` after a time-out of Google (408) or a change at the same time (409).',
    edits: [{ file: GOOGLE_REFUSAL, find: '![408, 409, 429].includes(status)', replace: 'status !== 429' }],
    killers: [GOOGLE_REFUSES_TEST],
  },
  {
    id: 'any-limit-of-new-users',
    breaks: 'answers',
    means: 'Every limit of the sign-in is taken for the one on new users.',
    edits: [
      {
        file: 'shared/google/response.ts',
        find: "dependency.startsWith('identitytoolkit ') && isOverNewUserLimit(error)",
        replace:
          "dependency.startsWith('identitytoolkit ') && (isOverNewUserLimit(error) || isOverQuota(status, error))",
      },
    ],
    killers: [GOOGLE_REFUSES_TEST],
  },
  {
    id: 'expiry-of-token-not-of-grant',
    breaks: 'answers',
    means: 'expires_in has the value for the ID token, although the rules reject it when its grant expires.',
    aliases: ['M02'],
    edits: [
      {
        file: 'shared/operations/issue-token.ts',
        find: 'expires_at: Math.min(minted.expires_at, activated.grant.expires_at),',
        replace: 'expires_at: minted.expires_at,',
      },
    ],
    killers: ['test/http/issue-token.test.ts', 'test/http/rfc/rfc8693.test.ts'],
  },
  {
    id: 'keys-for-ever',
    breaks: 'verification',
    means: 'Keys of the issuer are used for ever while it is down.',
    aliases: ['M09'],
    edits: [
      {
        file: JWKS_CACHE,
        find: `    if (!this.#isWithin(USABLE_MS, this.#keysSince)) await this.#fetch();
    else if (!this.#isWithin(FRESH_MS`,
        replace: '    if (!this.#isWithin(FRESH_MS',
      },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'key-called-unknown-while-issuer-fails',
    breaks: 'answers',
    means: 'A key is called unknown although the issuer could not be asked.',
    aliases: ['M10'],
    edits: [
      {
        file: JWKS_CACHE,
        find: '    await this.#fetch();\n    return (await lookUp())',
        replace:
          "    await this.#fetch().catch(() => {});\n    if (this.#failure) return { outcome: 'unknown' };\n    return (await lookUp())",
      },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'key-called-unknown-before-the-issuer-is-asked',
    breaks: 'answers',
    means: 'A key is called unknown although the issuer was asked before the token came.',
    edits: [
      {
        file: JWKS_CACHE,
        find: "return this.#keysFetch > fetches ? { outcome: 'unknown' } : undefined;",
        replace: "return fetches >= 0 ? { outcome: 'unknown' } : undefined;",
      },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'withdrawn-key-judges',
    breaks: 'verification',
    means: 'A request is judged by keys older than ten minutes while newer ones are fetched.',
    edits: [
      {
        file: JWKS_CACHE,
        find: '#keysSince)) await this.#fetch().catch(() => {});',
        replace: '#keysSince)) this.#fetch().catch(() => {});',
      },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'keys-fresh-until-the-clock-catches-up',
    breaks: 'verification',
    means: 'After the clock is set back, keys in hand stay fresh until it catches up.',
    edits: [
      {
        file: JWKS_CACHE,
        find: 'return elapsed >= 0 && elapsed < milliseconds;',
        replace: 'return elapsed < milliseconds;',
      },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'unusable-key-set-replaces',
    breaks: 'answers',
    means: 'A key set without a usable key replaces the keys in hand.',
    edits: [{ file: JWKS_CACHE, find: 'if (usable.size === 0) throw', replace: 'if (usable.size < 0) throw' }],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'key-with-exponent-of-1',
    breaks: 'verification',
    means: 'A key is used under which anybody can sign.',
    edits: [{ file: JWKS_CACHE, find: " || jwk.e === 'AQ'", replace: '' }],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'unknown-keys-asked-for-each-time',
    breaks: 'limits',
    means: 'Each token of an unknown key id makes Keydesk ask the issuer.',
    edits: [
      { file: JWKS_CACHE, find: 'const UNKNOWN_KEY_PAUSE_MS = 30_000;', replace: 'const UNKNOWN_KEY_PAUSE_MS = 0;' },
    ],
    killers: [JWKS_CACHE_TEST],
  },
  {
    id: 'any-text-looked-up',
    breaks: 'limits',
    means: 'A stranger makes a query of the ledger with any text.',
    edits: [
      {
        file: HELD_TOKEN,
        find: 'if (!hasFormOfIssuedToken(parsed.accessToken)) {',
        replace: "if (parsed.accessToken === '') {",
      },
    ],
    killers: [UNKNOWN_TOKENS_TEST],
  },
  {
    id: 'lookups-without-bound',
    breaks: 'limits',
    means: 'A stranger makes any number of queries of the ledger.',
    edits: [
      {
        file: LOOKUP_LIMIT,
        find: 'const wait = Math.max(own, shared);',
        replace: 'const wait = Math.min(own, shared);',
      },
    ],
    killers: [UNKNOWN_TOKENS_TEST],
  },
  {
    id: 'flood-reaches-holders-of-tokens',
    breaks: 'limits',
    means: 'A flood from other addresses keeps a job from returning its grant.',
    edits: [{ file: LOOKUP_LIMIT, find: 'this.#isHolder(address, now) ? 0 : ', replace: '' }],
    killers: [UNKNOWN_TOKENS_TEST],
  },
  {
    id: 'found-tokens-charged',
    breaks: 'limits',
    means: 'Many jobs behind one address cannot return their grants at once.',
    edits: [{ file: LOOKUP_LIMIT, find: '    if (bucket) bucket.left += 1;\n', replace: '' }],
    killers: [UNKNOWN_TOKENS_TEST],
  },
  {
    id: 'strangers-learn-the-cause',
    breaks: 'verification',
    means: 'A job of another organization learns why its job token is not accepted.',
    edits: [
      {
        file: 'shared/buildkite/job-token.ts',
        find: 'isOfOrganization(payload, policy) ? problem : { reason: problem.reason }',
        replace: 'problem',
      },
    ],
    killers: ['test/http/bad-job-tokens.test.ts'],
  },
  {
    id: 'list-of-audiences',
    breaks: 'verification',
    means: 'A job token for several audiences is accepted.',
    aliases: ['M11'],
    edits: [
      {
        file: 'shared/oidc/acceptance.ts',
        find: '  if (aud !== audience)',
        replace: '  if (![aud].flat().includes(audience))',
      },
    ],
    killers: ['test/http/bad-job-tokens.test.ts'],
  },
  {
    id: 'machine-of-any-issuer-so-called',
    breaks: 'verification',
    means: 'The token of a machine is accepted from an issuer whose name begins with the name in the policy.',
    edits: [{ file: AGENT_TOKEN, find: 'issuer === payload.iss', replace: 'String(payload.iss).startsWith(issuer)' }],
    killers: [AGENT_TOKEN_TEST],
  },
  {
    id: 'machine-for-several-audiences',
    breaks: 'verification',
    means: 'The token of a machine is accepted that somebody else could use as well.',
    edits: [{ file: AGENT_TOKEN, find: ' && more.length === 0 ? one', replace: ' ? one' }],
    killers: ['test/http/bad-agent-tokens.test.ts'],
  },
  {
    id: 'machine-without-signature',
    breaks: 'verification',
    means: 'The token of a machine is accepted with any signature.',
    edits: [{ file: AGENT_TOKEN, find: '!isSignedByOneOf(keys.keys, algorithm, token)', replace: 'false' }],
    killers: [AGENT_TOKEN_TEST],
  },
  {
    id: 'machine-by-inherited-claims',
    breaks: 'verification',
    means: 'A claim of a machine is read from the prototype of an object, or from a list.',
    edits: [{ file: AGENT_TOKEN, find: ' && !Array.isArray(inner) && Object.hasOwn(inner, member)', replace: '' }],
    killers: [AGENT_TOKEN_TEST],
  },
  {
    id: 'machine-that-is-bad-counts-as-none',
    breaks: 'verification',
    means: 'A bad token of a machine is taken for none where another rule demands none.',
    edits: [
      {
        file: 'shared/operations/decide-with-facts.ts',
        find: "if (verified && 'refusal' in verified) return verified;\n  const facts = { ...read, agent: verified?.agent };",
        replace: "const facts = { ...read, agent: verified && 'agent' in verified ? verified.agent : undefined };",
      },
    ],
    killers: [DECIDE_WITH_FACTS_TEST],
  },
  {
    id: 'keys-for-any-algorithm',
    breaks: 'verification',
    means: 'A key verifies tokens of another algorithm than its own.',
    edits: [{ file: 'shared/oidc/signed-token.ts', find: 'one.algorithm === algorithm &&', replace: '' }],
    killers: ['test/unit/oidc/elliptic-keys.test.ts'],
  },
  {
    id: 'webhook-from-the-future',
    breaks: 'verification',
    means: 'A webhook is accepted that was signed more than five minutes in the future.',
    aliases: ['M15'],
    edits: [
      {
        file: 'shared/core/webhook/signature.ts',
        find: `  if (Number(parsed.timestamp) > now + SIGNATURE_WINDOW) return 'signature_in_future';\n`,
        replace: '',
      },
    ],
    killers: ['test/unit/core/webhook/signature.test.ts'],
  },
  {
    id: 'introspection-tells-end-of-grant',
    breaks: 'answers',
    means: 'Introspection says that a token lives as long as its grant.',
    aliases: ['M25'],
    edits: [
      {
        file: HELD_TOKEN,
        find: 'const expires_at = Math.min(token?.expires_at ?? 0, grant.expires_at);',
        replace: 'const expires_at = token ? grant.expires_at : 0;',
      },
    ],
    killers: ['test/http/introspect.test.ts'],
  },
  {
    id: 'introspection-of-expired-token',
    breaks: 'answers',
    means: 'Introspection calls an expired token active.',
    aliases: ['M25'],
    edits: [
      {
        file: HELD_TOKEN,
        find: '  return accepted && expires_at > now ? { expires_at } : undefined;',
        replace: '  return accepted && token && now > 0 ? { expires_at } : undefined;',
      },
    ],
    killers: ['test/http/introspect.test.ts'],
  },
  {
    id: 'rules-accept-any-provider',
    breaks: 'verification',
    means: 'The generated rules accept users of any sign-in provider.',
    aliases: ['M27'],
    edits: [
      {
        file: 'shared/core/security-rules/generate.ts',
        find: `    "    && request.auth.token.firebase.sign_in_provider == 'custom'",\n`,
        replace: '',
      },
    ],
    killers: ['test/emulator/rules.test.ts'],
  },
  {
    id: 'endless-body-read-on',
    breaks: 'limits',
    means: 'A body is read on beyond what is dropped for the client to see the response.',
    aliases: ['N01'],
    edits: [{ file: HTTP_SERVER, find: 'limit: DRAIN_LIMIT,', replace: 'limit: DRAIN_LIMIT ** 2,' }],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'oversized-body-taken',
    breaks: 'limits',
    means: 'A body is taken beyond its limit when it does not say how large it is.',
    aliases: ['N01'],
    edits: [{ file: HTTP_SERVER, find: "      if (size > limit) return 'too_large';\n", replace: '' }],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'oversized-body-waited-for',
    breaks: 'limits',
    means: 'A body is read although it says itself that it is too large.',
    edits: [
      { file: HTTP_SERVER, find: "Number(head.headers['content-length'] ?? 0) > bodyLimit", replace: 'bodyLimit < 0' },
    ],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'body-read-before-head-is-judged',
    breaks: 'limits',
    means: 'A body is waited for although the head of its request is refused.',
    edits: [
      {
        file: HTTP_SERVER,
        find: "if (!('take' in decided)) return decided;",
        replace: `if (!('take' in decided)) {
        await read(message, { limit: bodyLimit, take: () => {}, clock });
        return decided;
      }`,
      },
    ],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'response-lost-with-unread-body',
    breaks: 'answers',
    means: 'A connection is reset by what a client still sends of a body that was refused unread.',
    edits: [
      {
        file: HTTP_SERVER,
        find: '    await read(message, { limit: DRAIN_LIMIT, take: () => {}, clock }).catch(() => {});\n',
        replace: '',
      },
    ],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'slow-large-body-cut-off',
    breaks: 'answers',
    means: 'A large body has no more time to arrive than a small one.',
    edits: [{ file: HTTP_SERVER, find: ' + Math.floor(size / MIB) * BODY_DEADLINE_PER_MIB_MS', replace: '' }],
    killers: [REQUEST_BODIES_TEST],
  },
  {
    id: 'webhook-unsigned',
    breaks: 'verification',
    means: 'A webhook is accepted that no key signed.',
    edits: [{ file: WEBHOOK_HANDLER, find: '= signature.signedByKey();', replace: '= signature.signedByKey() ?? 1;' }],
    killers: [BAD_WEBHOOKS_TEST],
  },
  {
    id: 'webhook-beyond-a-mebibyte',
    breaks: 'limits',
    means: 'A job keeps its end from being heard: eleven values of metadata make its webhook too large.',
    edits: [{ file: WEBHOOK_HANDLER, find: '= 32 * 1024 * 1024;', replace: '= 1024 * 1024;' }],
    killers: ['test/http/verified-webhooks.test.ts'],
  },
  {
    id: 'webhook-field-in-metadata',
    breaks: 'verification',
    means: 'A field of a webhook counts in objects that nothing is kept of, so that metadata can name another job.',
    edits: [
      {
        file: WEBHOOK_STATES,
        find: `  on(key, '"', name);\n`,
        replace: `  on(key, '"', name);\n  on(value, '{', key);\n`,
      },
    ],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-deep-value-ends-early',
    breaks: 'verification',
    means: 'A deep value of a webhook ends before its last bracket, so that metadata can name another job.',
    edits: [{ file: WEBHOOK_SCAN, find: 'this.#depth = LEVELS + 1;', replace: 'this.#depth = LEVELS;' }],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-field-twice',
    breaks: 'verification',
    means: 'A webhook that names its job twice ends the second.',
    edits: [{ file: WEBHOOK_SCAN, find: 'return isFirst ? next : repeated;', replace: 'return next;' }],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-end-kept-by-metadata',
    breaks: 'verification',
    means: 'A field about a build that comes twice makes a webhook malformed, and keeps a job from ending.',
    edits: [{ file: WEBHOOK_STATES, find: '? BROKEN : skipped;', replace: '? BROKEN : BROKEN;' }],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-text-of-escapes',
    breaks: 'answers',
    means: 'A text of a webhook that is written in escapes is not known, so that its job does not end.',
    edits: [
      {
        file: WEBHOOK_SCAN,
        find: 'KEPT_BYTES = 6 * LONGEST_STEP_KEY + 1;',
        replace: 'KEPT_BYTES = LONGEST_STEP_KEY + 1;',
      },
    ],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-reason-cut-in-an-escape',
    breaks: 'answers',
    means: 'A long reason is cut within an escape, and makes the webhook malformed.',
    edits: [{ file: WEBHOOK_SCAN, find: 'const LONGEST_PART = 6;', replace: 'const LONGEST_PART = 1;' }],
    killers: [WEBHOOK_SCAN_TEST],
  },
  {
    id: 'webhook-unblock-of-any-job',
    breaks: 'verification',
    means: 'A job that runs on an agent counts as a block step that was unblocked.',
    edits: [{ file: BUILDKITE_BUILD, find: "type: z.literal('manual'),", replace: 'type: z.string(),' }],
    killers: [WEBHOOK_EVENT_TEST],
  },
  {
    id: 'webhook-build-event-refused',
    breaks: 'answers',
    means:
      'An event about a build in a form that nobody knows is refused, after which Buildkite may stop sending the ends of jobs.',
    edits: [{ file: WEBHOOK_EVENT, find: " ?? { kind: 'ignored', event };", replace: ';' }],
    killers: [WEBHOOK_EVENT_TEST],
  },
  {
    id: 'build-of-another-pipeline',
    breaks: 'verification',
    means: 'A look takes the build of another pipeline, to which the slug was given, for the one that it looks for.',
    edits: [{ file: BUILDKITE_BUILDS, find: 'if (pipeline.id !== pipeline_id)', replace: "if (pipeline.id === '')" }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'build-of-another-number',
    breaks: 'verification',
    means: 'A look takes a build with another number for the one that it looks for.',
    edits: [{ file: BUILDKITE_BUILDS, find: ' || parsed.data.number !== build_number', replace: '' }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'build-without-retried-steps',
    breaks: 'answers',
    means: 'A look leaves out the earlier jobs of a step that was retried, which webhooks report.',
    edits: [{ file: BUILDKITE_BUILDS, find: "include_retried_jobs: 'true'", replace: "include_retried_jobs: 'false'" }],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'build-with-a-step-left-out',
    breaks: 'verification',
    means: 'A look leaves out a block step that makes no sense, so that two steps with one key can pass for one.',
    edits: [
      {
        file: BUILDKITE_BUILDS,
        find: "throw new LookupError('failed', 'describes a block step in an unexpected form');",
        replace: 'return [];',
      },
    ],
    killers: [APPROVAL_LOOKS_TEST],
  },
  {
    id: 'slow-body-without-a-line',
    breaks: 'limits',
    means: 'A webhook whose body misses its deadline leaves no line in the log.',
    edits: [{ file: HTTP_SERVER, find: '    tooSlow = !message.destroyed;\n', replace: '' }],
    killers: [REQUEST_BODIES_TEST, BAD_WEBHOOKS_TEST],
  },
  {
    id: 'end-of-a-flood-without-a-line',
    breaks: 'limits',
    means: 'Requests about unknown tokens that came last before an instance ends are in no line of the log.',
    edits: [
      {
        file: LOOKUP_LIMIT,
        find: '  flush(): void {\n',
        replace: '  flush(): void {\n    if (this.#counted.requests > 1) return;\n',
      },
    ],
    killers: [UNKNOWN_TOKENS_TEST],
  },
  {
    id: 'body-without-deadline',
    breaks: 'limits',
    means: 'The service waits for the rest of a body for ever.',
    aliases: ['N02'],
    edits: [{ file: HTTP_SERVER, find: '    message.destroy();\n', replace: '' }],
    killers: [TOKEN_HTTP_TEST, REQUEST_BODIES_TEST],
  },
  {
    id: 'job-token-of-any-size',
    breaks: 'limits',
    means: 'A job token of more than 8 KiB is verified.',
    aliases: ['N03'],
    edits: [
      {
        file: 'functions/token/exchange.ts',
        find: 'Buffer.byteLength(sent) > SENT_TOKEN_LIMIT',
        replace: 'Buffer.byteLength(sent) > SENT_TOKEN_LIMIT * 1024',
      },
    ],
    killers: [TOKEN_HTTP_TEST],
  },
  {
    id: 'credential-opens-ledger',
    breaks: 'I7',
    means: 'A policy may open the collections of the ledger to jobs.',
    aliases: ['N06'],
    edits: [
      {
        file: 'shared/core/policy/ledger-exposure.ts',
        find: `LEDGER_COLLECTIONS.includes(path.split('/', 1)[0] ?? '')`,
        replace: 'LEDGER_COLLECTIONS.includes(path)',
      },
    ],
    killers: ['test/unit/core/policy/policy-pool.test.ts'],
  },
  {
    id: 'renewal-in-another-database',
    breaks: 'I3',
    means: 'A grant is renewed for another database than its record names.',
    aliases: ['N12'],
    edits: [
      {
        file: 'shared/core/kinds/firestore.ts',
        find: 'grant.project === project && grant.database === database',
        replace: 'grant.project === project',
      },
    ],
    killers: ['test/unit/core/grant/invariants.test.ts'],
  },
  {
    id: 'clock-set-back-refuses',
    breaks: 'limits',
    means: 'After the clock is set back, requests are counted in a minute that lies ahead.',
    aliases: ['N16'],
    edits: [
      {
        file: GRANT_RESERVE,
        find: '  const same = now - rate_window_at < 60_000 && now >= rate_window_at;',
        replace: '  const same = now - rate_window_at < 60_000;',
      },
    ],
    killers: ['test/unit/core/grant/lifecycle.test.ts'],
  },
];
