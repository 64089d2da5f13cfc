// What `keydesk grants show` says of grants of each kind and state: in grants-history.golden.txt for people to read (RECORD=1 rewrites it).

import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { historyLines, historyOf } from '../../../cli/grants/history.ts';
import { logQueries } from '../../../cli/grants/log-queries.ts';
import { reachOf } from '../../../cli/grants/reach.ts';
import { confirmRevoked } from '../../../shared/core/grant/end.ts';
import type { Grant } from '../../../shared/core/grant/grant.ts';
import type { KillSwitchRecord } from '../../../shared/core/kill-switch.ts';
import { type GrantDetails, toGrantDetails } from '../../../shared/core/operator-api/grant.ts';
import { checkPolicyText } from '../../../shared/core/policy/check-text.ts';
import type { ReadPolicy } from '../../../shared/core/policy/parse-yaml.ts';
import { ACCOUNTS, expectDefined, grantIn, KINDS, NOW, pooled, STATES } from '../../fixtures/grants.ts';

const GOLDEN = new URL('grants-history.golden.txt', import.meta.url);
const LATER = NOW + 3_000;
const act: KillSwitchRecord = {
  selector: { credential: 'staging-config' },
  actor: 'bob@acme.example',
  reason: 'INC-7: a leaked token',
  blocks_new: false,
  activated_at: NOW + 150,
  deactivated_at: null,
  deactivated_by: null,
};
const ended = { job_finished_at: NOW - 1_400, job_ended_at: NOW + 200, ended_by: 'job.finished' } as const;
const detailsOf = (grant: Grant, by?: KillSwitchRecord) => toGrantDetails(grant, by, LATER);

/** Those that a grant of the kind can be in. */
const statesOf = (kind: (typeof KINDS)[number]) =>
  STATES.filter((state) =>
    kind === 'serviceAccount'
      ? state !== 'revoking' && state !== 'revoked'
      : kind !== 'narrowedPool' || state !== 'revoked',
  );

const CASES: Readonly<Record<string, GrantDetails>> = {
  ...Object.fromEntries(
    KINDS.flatMap((kind) => statesOf(kind).map((state) => [`${kind}, ${state}`, detailsOf(grantIn(state, kind))])),
  ),
  'narrowedPool, whose account is disabled': detailsOf(
    expectDefined(confirmRevoked(grantIn('revoking', 'narrowedPool'), NOW + 300)),
  ),
  'firestore, revoked when its job finished': detailsOf({ ...grantIn('revoked', 'firestore'), ...ended }),
  'pool, revoked when its job finished': detailsOf({ ...grantIn('revoked', 'pool'), ...ended }),
  'firestore, killed': detailsOf(
    { ...grantIn('revoked', 'firestore'), ended_by: 'kill_switch', kill_switch_id: 'an-act' },
    act,
  ),
  'firestore, killed, without the record of the act': detailsOf({
    ...grantIn('revoked', 'firestore'),
    ended_by: 'kill_switch',
    kill_switch_id: 'an-act',
  }),
  'pool, with an earlier lease and renewals': detailsOf({
    ...pooled(grantIn('active', 'pool')),
    tokens_issued: 7,
    past_leases: [{ service_account: ACCOUNTS[1], leased_at: NOW - 9_000, access_ended_at: NOW - 5_000 }],
  }),
  'serviceAccount, ended, with tokens of an earlier policy': detailsOf({
    ...(grantIn('active', 'serviceAccount') as Extract<Grant, { kind: 'service_account' }>),
    ...ended,
    ended_at: NOW + 200,
    superseded: [
      {
        rule: 'an earlier rule',
        policy_sha256: 'e'.repeat(64),
        approved_by: null,
        scopes: ['https://www.googleapis.com/auth/cloud-platform'],
        storage: null,
        expires_at: NOW + 60_000,
      },
    ],
  }),
  'firestore, approved in an emergency, on a machine': detailsOf({
    ...grantIn('active', 'firestore'),
    conditions: {
      team: { id: 'team-1', access: 'build_and_read', read_at: NOW - 60_000 },
      created_by: { user_id: 'anne', team_id: 'team-2', read_at: NOW - 60_000 },
      approval: {
        ...{
          step_key: 'approve',
          job_id: 'block-1',
          approved_by: 'bert',
          approved_at: NOW - 30_000,
          team_id: 'team-2',
        },
        ...{ read_at: NOW - 60_000, reason: 'INC-7: repair prices', break_glass: true },
      },
      agent: { provider: 'build-agents', claims: { role: 'arn:aws:iam::123456789012:role/agents' } },
    },
  }),
  'a job with claims that it chose': detailsOf({
    ...grantIn('active', 'firestore'),
    subject: { ...grantIn('active', 'firestore').subject, build_branch: 'x\u001b[31m\u202e', step_key: null },
  }),
};

it('tells the history of each grant', () => {
  const sections = Object.entries(CASES).map(([name, grant]) => {
    const lines = historyLines(historyOf(grant, reachOf(grant, undefined), new Date(LATER).toISOString()));
    return [`== ${name}`, ...lines].join('\n');
  });
  const golden = `${sections.join('\n\n')}\n`;
  expect(golden).not.toMatch(/undefined|NaN|\[object/);
  if (process.env.RECORD) writeFileSync(GOLDEN, golden);
  expect(golden).toBe(readFileSync(GOLDEN, 'utf8'));
});

it('names people and teams where their names are known', () => {
  const grant = CASES['firestore, approved in an emergency, on a machine'];
  if (!grant) throw new Error('no such case');
  const history = historyOf(grant, reachOf(grant, undefined), '');
  const lines = historyLines(history, { person: (id) => `person ${id}`, team: (id) => `named ${id}` }).join('\n');
  expect(lines).toContain('the team named team-1 with build_and_read');
  expect(lines).toContain('person anne started the build, a member of the team named team-2');
  expect(lines).toContain('person bert unblocked approve at');
});

it('says of a Firebase token until when the rules accept it, and when it expires', () => {
  const grant = detailsOf(grantIn('active', 'firestore'));
  const later = { ...grant, tokens: grant.tokens.map((one) => ({ ...one, expires_at: '2026-09-21T15:13:20.000Z' })) };
  const lines = historyLines(historyOf(later, reachOf(later, undefined), '')).join('\n');
  expect(lines).toContain(
    `the rules accept it until ${grant.expires_at}; the token itself expires at 2026-09-21T15:13:20.000Z`,
  );
  expect(lines).toContain(`No token of it is accepted after ${grant.expires_at}.`);
});

describe('the end of access', () => {
  it.each(KINDS)('is stated as in the record: %s', (kind) => {
    const of = (state: (typeof STATES)[number]) => {
      const grant = detailsOf(grantIn(state, kind));
      return historyLines(historyOf(grant, reachOf(grant, undefined), '')).join('\n');
    };
    const states = statesOf(kind);
    for (const state of states.filter((one) => one === 'active' || one === 'revoking')) {
      expect(of(state)).toContain('A token of it may be accepted until');
      expect(of(state)).not.toContain('Access ended');
    }
    for (const state of states.filter((one) => one === 'revoked' || one === 'expired'))
      expect(of(state)).toContain('Access ended at');
  });
});

describe('the policy in a file', () => {
  const policy = (sha256: string): ReadPolicy => ({
    ...readExample(),
    sha256,
  });
  const grant = { ...detailsOf(grantIn('active', 'firestore')), policy_sha256: 'a'.repeat(64) };

  it('says paths and verbs where it is the policy of the grant', () => {
    const reach = reachOf(grant, { file: 'policy.yaml', policy: policy('a'.repeat(64)) });
    expect(reach.from).toBe('policy');
    expect(reach.lines.join('\n')).toContain('config/{document=**}: get');
  });

  it('is not believed where it is another one', () => {
    const reach = reachOf(grant, { file: 'policy.yaml', policy: policy('f'.repeat(64)) });
    expect(reach.from).toBe('other_policy');
    expect(reach.lines).toEqual(reachOf(grant, undefined).lines);
    expect(historyOf(grant, reach, '').not_known.join('\n')).toContain('f'.repeat(64));
  });
});

it('has the queries of deploy/audit', () => {
  const grants = KINDS.map((kind) => detailsOf(grantIn('revoked', kind)));
  const all = grants.flatMap((grant) => logQueries(grant, '').map((query) => ({ grant, query })));
  expect(new Set(all.map(({ query }) => query.file)).size).toBe(3);
  for (const { grant, query } of all) {
    const text = readFileSync(new URL(`../../../deploy/audit/${query.file}`, import.meta.url), 'utf8');
    const template = text.replace(/^--.*\n/gm, '').trim();
    const filled = template
      .replace('"GRANT_ID"', `"${grant.grant_id}"`)
      .replace('"ACCOUNT"', `"${grant.service_account}"`)
      .replace('"LEASED_AT"', `"${grant.leased_at}"`)
      .replace('"ACCESS_ENDED_AT"', `"${grant.access_ended_at}"`);
    expect(query.query).toBe(filled);
  }
});

function readExample(): ReadPolicy {
  const text = readFileSync(new URL('../../../examples/policy.yaml', import.meta.url), 'utf8');
  const read = checkPolicyText(text);
  if ('problems' in read) throw new Error('the example has problems');
  return read;
}
