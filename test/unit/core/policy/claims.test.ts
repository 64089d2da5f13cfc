// The claims that parseClaims reads from the payload of a verified job token, whatever the payload holds.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  claimFields,
  claimValue,
  isClaimValue,
  isMatchableClaim,
  isOptionalClaim,
  type JobClaims,
  MATCHABLE_CLAIMS,
  mayBeAbsent,
  OPTIONAL_CLAIMS,
  parseClaims,
  sourceOfClaim,
} from '../../../../shared/core/policy/claims.ts';

const REQUIRED = {
  organization_slug: 'acme-inc',
  pipeline_slug: 'app',
  build_number: 42,
  build_branch: 'main',
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  job_id: '0184990a-477b-4fa8-9968-496074483cee',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
};
const OPTIONAL = {
  organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_id: '0184990a-4782-42b5-afc1-000000000001',
  build_tag: 'v1.2.3',
  build_source: 'webhook',
  step_key: 'deploy',
  runner_environment: 'self-hosted',
  cluster_id: '0184990a-4782-42b5-afc1-000000000002',
  cluster_name: 'Default cluster',
  queue_id: '0184990a-4782-42b5-afc1-000000000003',
  queue_key: 'default',
};
const UUIDS = ['job_id', 'agent_id', 'organization_id', 'pipeline_id', 'build_id', 'cluster_id', 'queue_id'];
/** The longest text of each claim that is text. */
const LONGEST: Readonly<Record<string, number>> = {
  organization_slug: 256,
  pipeline_slug: 256,
  build_branch: 1024,
  build_tag: 1024,
  build_commit: 256,
  build_source: 64,
  step_key: 1024,
  runner_environment: 64,
  cluster_name: 256,
  queue_key: 256,
  'agent_tag:queue': 1024,
};
const NAMES = [...Object.keys(REQUIRED), ...Object.keys(OPTIONAL)];
const WHOLE = { ...REQUIRED, ...OPTIONAL, 'agent_tag:queue': 'default' };

describe('claims', () => {
  it('are read unchanged, and unknown ones are left out', () => {
    const claims = claimsOf({ ...WHOLE, iss: 'x', sub: 'y', toString: 1, 'agent_tag:a b': 2, 'agent_tags:queue': 3 });
    expect(claims).toEqual({ ...REQUIRED, ...OPTIONAL, agentTags: new Map([['agent_tag:queue', 'default']]) });
  });

  it.each(Object.keys(REQUIRED))('are refused without %s', (name) => {
    for (const value of [undefined, null]) expect(invalidClaimOf({ ...WHOLE, [name]: value })).toBe(name);
  });

  it.each([...Object.keys(OPTIONAL), 'agent_tag:queue'])('are the same whether %s is absent, null or empty', (name) => {
    const { [name]: _, ...absent } = WHOLE as Record<string, unknown>;
    for (const none of [null, '']) expect(claimsOf({ ...WHOLE, [name]: none })).toEqual(claimsOf(absent));
    expect(isMatchableClaim(name) && claimValue(claimsOf(absent), name)).toBeUndefined();
  });

  it.each(UUIDS)('hold %s in lower case and nothing that is no UUID', (name) => {
    const uuid = 'F892EFA9-103E-4D28-97A1-3B8616A0994D';
    expect(claimsOf({ ...WHOLE, [name]: uuid })).toHaveProperty(name, uuid.toLowerCase());
    for (const bad of [
      ...(name in REQUIRED ? [''] : []),
      'x',
      uuid.slice(1),
      `${uuid}0`,
      `${uuid}\n`,
      ` ${uuid}`,
      uuid.replaceAll('-', ''),
      1,
      [uuid],
    ])
      expect(invalidClaimOf({ ...WHOLE, [name]: bad })).toBe(name);
  });

  it.each(Object.entries(LONGEST))('hold %s of 1 to %i characters', (name, longest) => {
    claimsOf({ ...WHOLE, [name]: 'x' });
    claimsOf({ ...WHOLE, [name]: 'x'.repeat(longest) });
    for (const bad of [...(name in REQUIRED ? [''] : []), 'x'.repeat(longest + 1), 1, true, ['x'], { x: 'x' }])
      expect(invalidClaimOf({ ...WHOLE, [name]: bad })).toBe(name);
  });

  it.each(Object.keys(LONGEST))('hold no %s that could break a line or a terminal', (name) => {
    for (const character of ['\0', '\t', '\n', '\r', '\u001b', '\u007f', '\u0085', '\u009b', '\u2028', '\u2029'])
      for (const bad of [character, `main${character}`, `${character}main`, `a${character}b`])
        expect(invalidClaimOf({ ...WHOLE, [name]: bad })).toBe(name);
  });

  // Such text cannot be written as UTF-8: the ledger would hold another one than the one that was judged.
  it('hold no text that is not well-formed Unicode', () => {
    const names = Object.keys(LONGEST);
    for (const name of names) claimsOf({ ...WHOLE, [name]: 'naïve-\u{1f511}-ключ' });
    for (const bad of ['\ud800', 'main\udc00', '\udc00\ud800'])
      expect(names.map((name) => invalidClaimOf({ ...WHOLE, [name]: bad }))).toEqual(names);
  });

  it.each([0, -1, 1.5, 2 ** 53, Number.NaN, Number.POSITIVE_INFINITY, '42', [42], 42n])(
    'are refused with build %s',
    (bad) => {
      expect(invalidClaimOf({ ...WHOLE, build_number: bad })).toBe('build_number');
    },
  );

  it.each([undefined, null, 7, 'text', true, [], [WHOLE], () => WHOLE])('are not read from %s', (payload) => {
    expect(parseClaims(payload)).toEqual({ invalidClaim: expect.any(String) });
  });

  it('are not read from __proto__', () => {
    const { job_id, ...others } = WHOLE;
    const payload = JSON.parse(
      `{"__proto__":{"job_id":"${job_id}","agent_tag:x":"y"},${JSON.stringify(others).slice(1)}`,
    );
    expect(invalidClaimOf(payload)).toBe('job_id');
    expect([...claimsOf({ ...payload, job_id }).agentTags.keys()]).toEqual(['agent_tag:queue']);
  });

  it('are of their types or refused by name, whatever the payload', () => {
    const value = fc.oneof(
      fc.jsonValue(),
      fc.constantFrom(...Object.values(WHOLE)),
      fc.string({ unit: 'binary', maxLength: 2000 }),
      fc.uuid(),
      fc.double(),
      fc.integer(),
    );
    const name = fc.oneof(
      fc.constantFrom(...NAMES, '__proto__', 'constructor'),
      fc.string().map((tag) => `agent_tag:${tag}`),
    );
    const changes = fc.dictionary(name, value, { maxKeys: 4, noNullPrototype: true });
    const removed = fc.subarray(NAMES, { maxLength: 1 });
    const payloads = fc.tuple(changes, removed).map(([changed, missing]) => {
      const payload = JSON.parse(JSON.stringify({ ...WHOLE, ...changed })) as Record<string, unknown>;
      for (const claim of missing) delete payload[claim];
      return payload;
    });
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: payloads }, { weight: 1, arbitrary: fc.jsonValue() }), (payload) => {
        const before = JSON.stringify(payload);
        const parsed = parseClaims(payload);
        expect(JSON.stringify(payload)).toBe(before);
        if ('claims' in parsed) expectOfItsTypes(parsed.claims, payload as Record<string, unknown>);
        else expect(parsed.invalidClaim).toMatch(/^[a-z_]+(:[A-Za-z0-9_.-]+)?$/);
      }),
      { numRuns: 2000 },
    );
  });
});

describe('a claim that a rule may name', () => {
  it.each([...MATCHABLE_CLAIMS, 'agent_tag:queue', 'agent_tag:a.b-c_D9'])('may be %s', (name) => {
    expect(isMatchableClaim(name)).toBe(true);
  });

  it.each([
    'sub',
    'iss',
    'aud',
    'jti',
    '__proto__',
    'constructor',
    'agentTags',
    'agent_tag:',
    'agent_tag:a b',
    'agent_tag:a\n',
    '',
  ])('may not be %j', (name) => {
    expect(isMatchableClaim(name)).toBe(false);
  });

  it('has its value as text, or none', () => {
    const claims = claimsOf(WHOLE);
    expect(claimValue(claims, 'build_number')).toBe('42');
    expect(claimValue(claims, 'build_branch')).toBe('main');
    expect(claimValue(claims, 'agent_tag:queue')).toBe('default');
    expect(claimValue(claims, 'agent_tag:other')).toBeUndefined();
    expect(claimValue(claimsOf(REQUIRED), 'pipeline_id')).toBeUndefined();
  });

  it('must be requested when a token lacks it otherwise', () => {
    const requested = MATCHABLE_CLAIMS.filter((name) => isOptionalClaim(name));
    expect(requested).toEqual([...OPTIONAL_CLAIMS]);
    expect(isOptionalClaim('agent_tag:queue')).toBe(true);
  });
});

describe('what is known of a claim without a token', () => {
  it('is who decides its value', () => {
    expect(['pipeline_id', 'build_branch', 'queue_id', 'agent_tag:queue'].map((name) => sourceOf(name))).toEqual([
      'buildkite',
      'author',
      'agent',
      'agent',
    ]);
  });

  it('is whether every token has it', () => {
    const always = Object.keys(WHOLE).filter((name) => !mayBeAbsent(name));
    expect(always.sort()).toEqual(Object.keys(REQUIRED).sort());
    expect(mayBeAbsent('agent_tag:other')).toBe(true);
  });

  it.each([
    ['build_branch', 'main'],
    ['build_number', '42'],
    ['step_key', '42'],
    ['pipeline_id', OPTIONAL.pipeline_id],
    ['agent_tag:queue', 'x'.repeat(1024)],
  ])('is whether a text can be its value: %s', (name, value) => {
    expect(isClaimValue(name, value)).toBe(true);
  });

  it.each([
    ['build_branch', ''],
    ['build_tag', ''],
    ['build_branch', 'ma\nin'],
    ['build_number', '042'],
    ['build_number', '0'],
    ['build_number', 'main'],
    ['pipeline_id', OPTIONAL.pipeline_id.toUpperCase()],
    ['pipeline_id', 'app'],
    ['pipeline_id', 'undefined'],
    ['agent_tag:queue', 'x'.repeat(1025)],
    ['agent_tag:queue', ''],
  ])('is whether a text cannot be its value: %s %j', (name, value) => {
    expect(isClaimValue(name, value)).toBe(false);
  });
});

it('claims and tags are fields of one record by their names', () => {
  expect(claimFields(claimsOf(WHOLE))).toEqual(WHOLE);
});

function sourceOf(name: string) {
  return isMatchableClaim(name) ? sourceOfClaim(name) : undefined;
}

function claimsOf(payload: unknown): JobClaims {
  const parsed = parseClaims(payload);
  if ('invalidClaim' in parsed) throw new Error(`refused because of ${parsed.invalidClaim}`);
  return parsed.claims;
}

function invalidClaimOf(payload: unknown): string | undefined {
  const parsed = parseClaims(payload);
  return 'invalidClaim' in parsed ? parsed.invalidClaim : undefined;
}

/** Checks each claim by hand, and that its value is the payload's own. */
function expectOfItsTypes({ agentTags, ...claims }: JobClaims, payload: Record<string, unknown>): void {
  for (const name of Object.keys(REQUIRED)) expect(claims).toHaveProperty(name);
  for (const [name, value] of [...Object.entries(claims), ...agentTags]) {
    if (!agentTags.has(name)) expect(NAMES).toContain(name);
    const own = Object.hasOwn(payload, name) && payload[name] !== '' ? payload[name] : undefined;
    if (value === undefined) expect(own ?? null).toBeNull();
    else if (name === 'build_number')
      expect(Number.isSafeInteger(value) && Number(value) > 0 && value === own).toBe(true);
    else if (UUIDS.includes(name)) {
      expect(value).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
      expect(value).toBe(String(own).toLowerCase());
    } else {
      expect(value).toBe(own);
      expect(String(value).length).toBeLessThanOrEqual(LONGEST[name] ?? 1024);
      expect(value).toMatch(/^[^\p{Cc}\p{Zl}\p{Zp}]+$/u);
    }
  }
}
