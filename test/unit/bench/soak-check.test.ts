// The checker of soak runs finds each violation, on evidence made by hand with that violation alone. Each finding is exact, so
// that a check that finds something else by chance does not count.

import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Evidence } from '../../../bench/soak/check/evidence.ts';
import { fieldsOf } from '../../../bench/soak/check/firestore-export.ts';
import { judge } from '../../../bench/soak/check/judge.ts';
import {
  ACCOUNT,
  GOOD,
  issued,
  JOB_TOKEN,
  line,
  request,
  second,
  withChanged,
  withDocument,
  withLines,
  withObservations,
  withoutDocument,
} from '../../fixtures/soak-evidence.ts';

const CHECKER = new URL('../../../bench/soak/check/', import.meta.url);

function findingsIn(evidence: Evidence): string[] {
  return judge(evidence).flatMap(({ name, findings }) => findings.map((finding) => `${name}: ${finding}`));
}

const without = (event: string, grant_id: string) =>
  withLines((lines) => lines.filter(({ entry }) => entry?.event !== event || entry.grant_id !== grant_id));
/** A response with the same token again, sent after the end. */
const late = (seconds: number) => ({
  ...issued({ job: 'job-1', grant: 'g1', token: 't1', revocation: 'immediate' }, seconds),
  expires_at: second(62),
});
const probe = (token: string, grant: string, job: string, seconds: number) =>
  ({ type: 'probe', sent: second(seconds), ended: second(seconds), token, grant, job, accepted: true }) as const;
const exit = (facts: { readonly code?: number | null; readonly signal?: string; readonly at?: number }) =>
  withChanged((each) =>
    each.type === 'process' && each.event === 'exited' && each.instance === 'token-1' ? { ...each, ...facts } : each,
  );

const VIOLATIONS: readonly (readonly [what: string, evidence: Evidence, findings: readonly string[]])[] = [
  [
    'a token that is not on record when it arrives',
    withChanged((each) => (each.type === 'record' ? { ...each, found: false } : each)),
    ['I1: token t1 of grant g1 was not on record at 10:00:02.200, when it had arrived'],
  ],
  [
    'a token that outlives its record',
    withChanged((each) => (each.type === 'record' ? { ...each, expires_at: second(40) } : each)),
    ['I1: token t1 of grant g1 lives until 10:01:01.800, and its record says 10:00:40.000'],
  ],
  [
    'a token of a grant that is not stored',
    withoutDocument('grants', 'g1'),
    [
      'I1: token t1 of job job-1 arrived, and its grant g1 is not stored',
      'I1: grant g1 has 0 tokens on record, and 1 arrived',
    ],
  ],
  [
    'a grant with fewer tokens on record than arrived',
    withDocument('ledger', 'grants/g2', { tokens_issued: 0 }),
    ['I1: grant g2 has 0 tokens on record, and 1 arrived'],
  ],
  [
    'a token without its audit line',
    without('grant.issued', 'g3'),
    ['I1: token t3 of grant g3 arrived at 10:06:41.200 without a line grant.issued'],
  ],
  [
    'a token after the webhook was accepted',
    withObservations(late(51.5)),
    ['I2: job job-1 got token t1 at 10:00:51.500, after the webhook of its end had got 2xx at 10:00:51.000'],
  ],
  [
    'a token long after the end that the ledger has',
    {
      ...withDocument('ledger', 'jobs/job-2', { ended_at: second(380) }),
      observations: [...GOOD.observations, { type: 'job', job: 'job-2', event: 'finished', at: second(379) }],
    },
    ['I2: job job-2 got token t3 at 10:06:41.000, and its end is on record since 10:06:20.000'],
  ],
  [
    'a token after the release of its grant',
    withObservations(issued({ job: 'job-2', grant: 'g3', token: 't3' }, 421)),
    ['I2: grant g3 got token t3 at 10:07:01.000, after it was released at 10:07:00.300'],
  ],
  [
    'a webhook that was accepted and is not on record',
    withDocument('ledger', 'jobs/job-1', { ended_at: null }),
    ['tombstones: the webhook of job job-1 got 2xx at 10:00:51.000, and the ledger has no end of it'],
  ],
  [
    'an end that was recorded after the response',
    withDocument('ledger', 'jobs/job-1', { ended_at: second(60) }),
    ['tombstones: the webhook of job job-1 got 2xx at 10:00:51.000, and the ledger has its end at 10:01:00.000'],
  ],
  [
    'a job that runs and is ended on record',
    withDocument('ledger', 'jobs/job-2', { ended_at: second(430) }),
    ['tombstones: the ledger has the end of job job-2 at 10:07:10.000, and it never finished'],
  ],
  [
    'a job that runs and is refused for good',
    withObservations(
      request('issue', [20, 20.1], { job: 'job-1', credential: 'c-g2', status: 400, error: 'invalid_grant' }),
    ),
    ['running jobs: job job-1 ran and requested c-g2 at 10:00:20.000, and got 400 invalid_grant'],
  ],
  [
    'a Firestore token that is accepted after the webhook',
    withObservations(probe('t1', 'g1', 'job-1', 54)),
    ['I3: token t1 of grant g1 was accepted at 10:00:54.000, and its access ended at 10:00:50.800'],
  ],
  [
    'a pooled token that is accepted after its release',
    withObservations(probe('t3', 'g3', 'job-2', 425)),
    ['I3: token t3 of grant g3 was accepted at 10:07:05.000, and its access ended at 10:07:00.200'],
  ],
  [
    'a revoked token that is called active',
    withObservations(request('introspect', [54, 54.1], { job: 'job-1', grant: 'g1', token: 't1', active: true })),
    ['I3: token t1 of grant g1 was called active at 10:00:54.000, after its end'],
  ],
  [
    'a revoked grant whose account was never disabled',
    withChanged((each) => (each.type === 'google_change' && each.at < second(200) ? undefined : each)),
    [`I3: grant g2 is revoked since 10:00:50.950, and ${ACCOUNT} was enabled at that time`],
  ],
  [
    'two leases of an account at once',
    withDocument('ledger', 'grants/g2', { state: 'expired', access_ended_at: second(410) }),
    [`I4: ${ACCOUNT} was leased to grant g3 at 10:06:41.050, while grant g2 held it until 10:06:50.000`],
  ],
  [
    'a token of an account that no lease covers',
    withDocument('ledger', 'grants/g3', { leased_at: second(402) }),
    [`I4: ${ACCOUNT} minted for job job-2 at 10:06:41.100 without a lease on record`],
  ],
  [
    'a token of an account while a token of another job lives',
    withChanged((each) =>
      each.type === 'google_mint' && each.at < second(100) ? { ...each, expires_at: second(450) } : each,
    ),
    [
      `I4: ${ACCOUNT} minted for job job-2 at 10:06:41.100, while a token of job job-1 lived until 10:07:30.000`,
      `I5: ${ACCOUNT} was enabled at 10:05:00.000, and a token of it lived until 10:07:30.000`,
    ],
  ],
  [
    'an account that is enabled while a token of it lives',
    withChanged((each) =>
      each.type === 'google_change' && each.at === second(300) ? { ...each, at: second(60) } : each,
    ),
    [`I5: ${ACCOUNT} was enabled at 10:01:00.000, and a token of it lived until 10:01:03.100`],
  ],
  [
    'a grant that is not final',
    withDocument('ledger', 'grants/g1', { state: 'revoking' }),
    ['I6: grant g1 stays revoking'],
  ],
  [
    'an account that is not final',
    withDocument('ledger', `service_accounts/${ACCOUNT}`, { state: 'revoking', grant_id: 'g3' }),
    [`I6: ${ACCOUNT} stays revoking, for grant g3`],
  ],
  [
    'an account whose cooldown is over and that does not serve',
    withDocument('ledger', `service_accounts/${ACCOUNT}`, { state: 'cooling_down', grant_id: 'g3' }),
    [`I6: ${ACCOUNT} stays cooling_down, for grant g3`],
  ],
  [
    'an account that is free before its cooldown is over',
    withDocument('ledger', `service_accounts/${ACCOUNT}`, { reusable_at: second(2000) }),
    [`I6: ${ACCOUNT} is free before its cooldown is over`],
  ],
  [
    'an end that was begun and is not on record',
    withDocument('ledger', 'jobs/job-2', { ending_since: second(500) }),
    ['I6: the end of job job-2 was begun and is not on record'],
  ],
  [
    'a grant document that stays open',
    withDocument('data', 'keydesk_grants/g1', { state: 'active', expires_at: second(2000) }),
    ['I6: the grant document g1 is open until 10:33:20.000'],
  ],
  [
    'an account that stays disabled at Google',
    withChanged((each) => (each.type === 'google_change' && each.at === second(650) ? undefined : each)),
    [`I6: ${ACCOUNT} stays disabled at Google, and is free in the ledger`],
  ],
  [
    'a secret in the ledger',
    withDocument('ledger', 'grants/g1', { rule: JOB_TOKEN }),
    ['I7: ledger grants/g1 holds the text of a secret: job_token'],
  ],
  [
    'a secret in a grant document, deep inside',
    withDocument('data', 'keydesk_grants/g1', { roles: [{ name: JOB_TOKEN }] }),
    ['I7: data keydesk_grants/g1 holds the text of a secret: job_token'],
  ],
  [
    'a secret in a line of the log',
    withLines((lines) => [...lines, line({ event: 'task.failed', error: `got "${JOB_TOKEN}", refused` })]),
    ['I7: a line of token-1 holds the text of a secret: job_token'],
  ],
  [
    'a text of the form of an access token that nobody received',
    withLines((lines) => [...lines, line({ error: 'ya29.c.b0Aaekm1K_nobody-knows' })]),
    ['I7: a line of token-1 holds the text of a secret: token'],
  ],
  [
    'a grant without a line of its end',
    without('grant.revoked', 'g2'),
    ['audit lines: grant g2 is revoked since 10:00:50.600 and has no line of its end'],
  ],
  [
    'a wrong job token that is accepted',
    withChanged((each) =>
      each.type === 'request' && each.operation === 'wrong_job_token' ? { ...each, status: 200 } : each,
    ),
    [
      'wrong tokens: a wrong job token of job job-1 was accepted at 10:00:56.000',
      'responses: wrong_job_token at 10:00:56.000 got 200 invalid_token from token-1',
    ],
  ],
  [
    'a response 500',
    withObservations(request('release', [30, 30.1], { status: 500, error: 'server_error' })),
    ['responses: release at 10:00:30.000 got 500 server_error from token-1'],
  ],
  [
    'a forged webhook that is accepted',
    withChanged((each) =>
      each.type === 'request' && each.operation === 'forged_webhook' ? { ...each, status: 200 } : each,
    ),
    ['responses: forged_webhook at 10:00:57.000 got 200 unauthorized from webhook-1'],
  ],
  [
    'an internal error in the log',
    withLines((lines) => [...lines, line({ event: 'task.failed', code: 'internal_error' })]),
    ['responses: token-1 logged an internal error at 10:00:00.000: task.failed'],
  ],
  [
    'a call that Google would refuse',
    withObservations({ type: 'google_unexpected', what: 'enable by token' }),
    ['responses: Google received what it would refuse: enable by token'],
  ],
  [
    'a process that ends with an error after SIGTERM',
    exit({ code: 1 }),
    ['exits: token-1 ended with 1 at 10:16:40.500, 500 ms after SIGTERM'],
  ],
  [
    'a process that does not end after SIGTERM',
    exit({ code: null, signal: 'SIGKILL', at: second(1012) }),
    ['exits: token-1 ended with SIGKILL at 10:16:52.000, 12000 ms after SIGTERM'],
  ],
  [
    'a process that ends and nobody signalled it',
    withObservations({ type: 'process', at: second(90), instance: 'token-9', event: 'exited', code: 134 }),
    ['exits: token-9 ended with 134 at 10:01:30.000, and nobody had signalled it'],
  ],
  [
    'a request in flight at SIGTERM that is dropped',
    withObservations({
      type: 'request',
      operation: 'issue',
      instance: 'token-1',
      client: 'plain',
      sent: second(999.5),
      ended: second(1000.4),
      failure: 'reset',
    }),
    ['exits: issue in flight at the SIGTERM of token-1 was reset 400 ms later'],
  ],
  [
    'a process that takes too much memory',
    withObservations({ type: 'memory', at: second(9), instance: 'token-1', rss_kib: 600 * 1024 }),
    ['memory: token-1 took 600 MiB, and is deployed with 512'],
  ],
];

describe('the checker of soak runs', () => {
  it('finds nothing in good evidence, and every check judges something', () => {
    const verdicts = judge(GOOD);
    expect(verdicts.flatMap(({ findings }) => findings)).toEqual([]);
    expect(verdicts.filter(({ judged }) => judged === 0)).toEqual([]);
  });

  it.each(VIOLATIONS)('finds %s', (_, evidence, findings) => {
    expect(findingsIn(evidence)).toEqual(findings);
  });

  it('has a violation here for each of its checks', () => {
    const found = VIOLATIONS.flatMap(([, , findings]) => findings.map((finding) => finding.split(':')[0]));
    expect(new Set(found)).toEqual(new Set(judge(GOOD).map(({ name }) => name)));
  });

  it('excuses a missing line only where a killed process was working at that time', () => {
    const missing = without('grant.revoked', 'g2');
    const killed = (sent: number, ended: number): Evidence => ({
      ...missing,
      observations: [
        ...missing.observations,
        { type: 'process', at: second(ended - 0.1), instance: 'webhook-2', event: 'signalled', signal: 'SIGKILL' },
        {
          type: 'process',
          at: second(ended),
          instance: 'webhook-2',
          event: 'exited',
          code: null,
          signal: 'SIGKILL',
        },
        {
          type: 'request',
          operation: 'job_finished',
          instance: 'webhook-2',
          client: 'plain',
          sent: second(sent),
          ended: second(ended),
          failure: 'reset',
        },
      ],
    });
    expect(findingsIn(killed(50.4, 51))).toEqual([]);
    expect(judge(killed(50.4, 51)).find(({ name }) => name === 'audit lines')?.notes).toEqual({
      'grants whose line of the end a killed process did not write': 1,
    });
    expect(findingsIn(killed(60, 61))).toEqual([
      'audit lines: grant g2 is revoked since 10:00:50.600 and has no line of its end',
    ]);
  });

  it('imports nothing of the product', () => {
    const allowed = /^(?:node:|\.\/|\.\.\/observation\.ts$)/;
    for (const file of readdirSync(CHECKER)) {
      const imports = [...readFileSync(new URL(file, CHECKER), 'utf8').matchAll(/from '([^']+)'/g)];
      expect(imports.map(([, from = '']) => from).filter((from) => !allowed.test(from))).toEqual([]);
    }
    expect(readFileSync(new URL('../observation.ts', CHECKER), 'utf8')).not.toMatch(/^import/m);
  });

  it("reads Firestore's values as its REST API writes them", () => {
    const fields = {
      at: { timestampValue: '2026-01-07T10:00:00.123456Z' },
      count: { integerValue: '7' },
      ratio: { doubleValue: 0.5 },
      open: { booleanValue: false },
      nothing: { nullValue: null },
      text: { stringValue: '' },
      bytes: { bytesValue: 'AAE=' },
      list: { arrayValue: { values: [{ mapValue: { fields: { id: { stringValue: 'x' } } } }] } },
      empty: { arrayValue: {} },
    };
    expect(fieldsOf({ fields })).toEqual({
      at: second(0.123),
      count: 7,
      ratio: 0.5,
      open: false,
      nothing: null,
      text: '',
      bytes: 'AAE=',
      list: [{ id: 'x' }],
      empty: [],
    });
  });
});
