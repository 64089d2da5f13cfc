// What a large policy costs: reading, checking and comparing 1,000 rules and 200 credentials, and one decision, as ratios of the same
// for the example policy.

import { readFileSync } from 'node:fs';
import { checkPolicyText } from '../shared/core/policy/check-text.ts';
import { parseClaims } from '../shared/core/policy/claims.ts';
import { decide } from '../shared/core/policy/decide.ts';
import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import { diffPolicies } from '../shared/core/policy-analysis/diff.ts';
import { checkPolicy } from '../shared/core/policy-warnings/check.ts';

const RULES = 1000;
const CREDENTIALS = 200;
const DECISIONS = 200;

export function benchPolicy(): void {
  const small = readFileSync('examples/policy.yaml', 'utf8');
  const large = largePolicy();
  const rows = [measure('examples/policy.yaml', small), measure(`${RULES} rules, ${CREDENTIALS} credentials`, large)];
  console.log('\nPolicies');
  for (const { name, read, check, diff, decision } of rows)
    console.log(
      `  ${name}: read ${ms(read)}, check ${ms(check)}, diff ${ms(diff)}, one decision ${ms(decision)}; check/read ${ratio(check, read)}, diff/read ${ratio(diff, read)}`,
    );
}

function measure(name: string, text: string) {
  const [before, read] = timed(() => parsed(text));
  // A rule that lets in another branch.
  const after = parsed(text.replace('release/*', 'release/**'));
  const [, check] = timed(() => checkPolicy(before));
  const [, diff] = timed(() => diffPolicies(before.policy, after.policy));
  const claims = someClaims(before);
  const name_ = Object.keys(before.policy.credentials).at(-1) ?? '';
  const [, decisions] = timed(() => {
    for (let count = 0; count < DECISIONS; count += 1) decide(before.policy, claims, name_);
  });
  return { name, read, check, diff, decision: decisions / DECISIONS };
}

function parsed(text: string): ReadPolicy {
  const read = checkPolicyText(text);
  if ('problems' in read) throw new Error(read.problems[0]?.message);
  return read;
}

function someClaims({ policy }: ReadPolicy) {
  const parsedClaims = parseClaims({
    organization_slug: policy.organization.slug,
    organization_id: policy.organization.id,
    pipeline_slug: 'web',
    pipeline_id: Object.values(policy.pipelines).at(-1),
    build_number: 1,
    build_branch: 'main',
    build_commit: 'c0ffee',
    build_source: 'webhook',
    job_id: '0184990a-4782-42b5-afc1-16715b10b8f1',
    agent_id: '0184990a-4782-42b5-afc1-16715b10b8f2',
  });
  if ('invalidClaim' in parsedClaims) throw new Error(parsedClaims.invalidClaim);
  return parsedClaims.claims;
}

/** Five rules for each credential, each of a pipeline of its own. */
function largePolicy(): string {
  const numbers = (count: number) => Array.from({ length: count }, (_, index) => index);
  const uuid = (index: number) => `0184990a-4782-42b5-afc1-${String(index).padStart(12, '0')}`;
  return [
    'version: 1',
    'organization: { slug: acme-inc, id: f892efa9-103e-4d28-97a1-3b8616a0994d }',
    'audience: https://keydesk.acme.example',
    'environments: { staging: {} }',
    'pipelines:',
    ...numbers(RULES).map((index) => `  pipeline-${index}: ${uuid(index)}`),
    'credentials:',
    ...numbers(CREDENTIALS).map(
      (index) =>
        `  bucket-${index}: { environment: staging, ttl: 15m, storage: { serviceAccount: ci-cache@acme-staging.iam.gserviceaccount.com, bucket: acme-${index}, role: roles/storage.objectUser } }`,
    ),
    'rules:',
    ...numbers(RULES).map(
      (index) =>
        `  - { name: rule ${index}, match: { pipeline: pipeline-${index}, build_branch: [main, "release/*"], build_source: [webhook, ui] }, grants: [bucket-${index % CREDENTIALS}] }`,
    ),
    '',
  ].join('\n');
}

function timed<Result>(work: () => Result): [Result, number] {
  const start = performance.now();
  return [work(), performance.now() - start];
}

function ms(milliseconds: number): string {
  return `${milliseconds.toPrecision(3)} ms`;
}

function ratio(one: number, other: number): string {
  return (one / other).toPrecision(2);
}
