// Guards of revocation (I3): access is taken away, that is confirmed, and only then recorded.

import type { Mutation } from '../mutation.ts';

const GRANT_END = 'shared/core/grant/end.ts';
const ENDING_LEDGER = 'shared/ledger/revocation.ts';
const GRANT_DOCUMENT = 'shared/firestore/grant-document.ts';
const REVOKE = 'shared/operations/revoke-grant.ts';

const MODEL = 'test/model/lifecycle.test.ts';
const GRANT_TEST = 'test/unit/core/grant/grant.test.ts';

export const REVOCATION: readonly Mutation[] = [
  {
    id: 'first-reservation-not-on-job',
    breaks: 'I3',
    means: 'The first reservation of a grant does not put it on the record of its job.',
    observed: 'history 3 of `races`: I3: a grant is `issuing` and its job has ended',
    edits: [
      {
        file: 'shared/ledger/issuance.ts',
        find: '      putJob(batch, job, addGrant(jobRecord, { id: found.grant.ref.id, build: buildOf(grant.subject) }, at));\n',
        replace: '',
      },
    ],
    killers: ['test/http/ledger/races.test.ts', MODEL],
  },
  {
    id: 'end-leaves-accounts',
    breaks: 'I3',
    means: 'The end of a job does not write the records of its pooled accounts.',
    observed: 'history 5 of `pool`: I4: a grant is `revoking`, its account `leased`',
    edits: [
      {
        file: ENDING_LEDGER,
        find: 'putTransition(batch, { read, record: before }, after, accounts, at, write_id);',
        replace: 'putTransition(batch, { read, record: before }, after, new Map(), at, write_id);',
      },
    ],
    killers: ['test/http/pool.test.ts', MODEL],
  },
  {
    id: 'unmarked-end-of-job',
    breaks: 'I3',
    means: 'A job that renews fast enough keeps its end off the record.',
    edits: [
      {
        file: ENDING_LEDGER,
        find: 'if (lostRaces > 0 && record && endTimeOf',
        replace: 'if (false && record && endTimeOf',
      },
    ],
    killers: ['test/unit/operations/end-during-renewals.test.ts'],
  },
  {
    id: 'unmarked-end-of-grant',
    breaks: 'I3',
    means: 'A job that renews fast enough keeps the end of one grant off the record.',
    edits: [{ file: ENDING_LEDGER, find: 'if (mark && lostRaces > 0', replace: 'if (mark && lostRaces > 1e9' }],
    killers: ['test/unit/operations/end-during-renewals.test.ts'],
  },
  {
    id: 'stale-mark-of-job',
    breaks: 'I6',
    means: 'A mark that comes after the end of the job stays, and the sweep finds the job for ever.',
    edits: [
      { file: ENDING_LEDGER, find: 'else if (record.ending_since !== null) putJob', replace: 'else if (false) putJob' },
    ],
    killers: ['test/http/ledger/races.test.ts'],
  },
  {
    id: 'stale-mark-of-grant',
    breaks: 'I6',
    means: 'A mark that comes after the end of the grant stays, and the sweep finds the grant for ever.',
    edits: [
      {
        file: ENDING_LEDGER,
        find: 'const stale = mark && record && record.ending_since !== null && read.updateTime;',
        replace: 'const stale = mark && record && record.ending_since === Number.NaN && read.updateTime;',
      },
    ],
    killers: ['test/http/ledger/races.test.ts'],
  },
  {
    id: 'token-of-another-policy',
    breaks: 'I1',
    means: 'A live token leaves that the record says another policy issued.',
    edits: [
      {
        file: 'shared/ledger/record-token.ts',
        find: 'if (before && !sameBasis(basisOf(before), basisOf(reserved)))',
        replace: 'if (before && basisOf(before) === basisOf(reserved))',
      },
    ],
    killers: ['test/http/ledger/races.test.ts'],
  },
  {
    id: 'mark-not-read',
    breaks: 'I2',
    means: 'Issuance goes on while the end of the job is being recorded.',
    edits: [
      {
        file: 'shared/core/grant/job-record.ts',
        find: 'record?.ended_at ?? record?.ending_since ?? undefined',
        replace: 'record?.ended_at ?? undefined',
      },
    ],
    killers: ['test/http/ledger/races.test.ts', 'test/unit/operations/end-during-renewals.test.ts'],
  },
  {
    id: 'marked-grant-left',
    breaks: 'I6',
    means: 'The sweep leaves a grant alone whose end only began to be recorded.',
    edits: [
      {
        file: 'shared/operations/sweep.ts',
        find: '    await ledger.endGrant(grant, causeOf(grant));\n',
        replace: '    causeOf(grant);\n',
      },
    ],
    killers: ['test/http/revoke.test.ts'],
  },
  {
    id: 'revoked-before-taken-away',
    breaks: 'I3',
    means: 'A grant is recorded as revoked before its access is taken away.',
    observed: 'history 5 of `everything`: I3: `revoked` is recorded, its document is active',
    edits: [
      {
        file: REVOKE,
        find: `  try {
    await removeAccess(deps, grant, until);`,
        replace: `  const confirmed = await deps.ledger.confirmRevoked(grant);
  try {
    await removeAccess(deps, grant, until);`,
      },
      { file: REVOKE, find: '  return deps.ledger.confirmRevoked(grant);', replace: '  return confirmed;' },
    ],
    killers: ['test/http/webhook-failures.test.ts', MODEL],
  },
  {
    id: 'failed-disabling-accepted',
    breaks: 'I3',
    means: 'An account that could not be disabled counts as disabled.',
    observed: 'history 35 of `pool`: I3: a token works and its grant is `revoked`',
    edits: [
      {
        file: REVOKE,
        find: 'return deps.disableAccount(access.email, auditReason(grant.subject.id), until);',
        replace: 'return deps.disableAccount(access.email, auditReason(grant.subject.id), until).catch(() => {});',
      },
    ],
    killers: ['test/http/pool.test.ts', MODEL],
  },
  {
    id: 'disabling-not-confirmed',
    breaks: 'I3',
    means: 'IAM is not asked whether a disabled account is disabled.',
    observed: 'history 19 of `pool`: I3: a token works and its grant is `revoked`',
    aliases: ['M08'],
    edits: [
      {
        file: 'shared/google/account-state.ts',
        find: `      if ((await getState(email)) !== 'disabled')
        throw new DependencyError(dependency, 'not_confirmed', 'succeeded, but the account is not disabled yet');
`,
        replace: '',
      },
    ],
    killers: ['test/unit/google/change-account.test.ts', MODEL],
  },
  {
    id: 'failed-closing-accepted',
    breaks: 'I3',
    means: 'A grant document that could not be closed counts as closed.',
    observed: 'history 24 of `races`: I3: `revoked` is recorded, its document is active',
    edits: [
      {
        file: REVOKE,
        find: 'return deps.closeGrantDocument({ project, database, grant_id: grantIdOf(grant) }, deps.clock.now());',
        replace:
          'return deps.closeGrantDocument({ project, database, grant_id: grantIdOf(grant) }, deps.clock.now()).catch(() => {});',
      },
    ],
    killers: ['test/http/webhook-failures.test.ts', MODEL],
  },
  {
    id: 'closed-document-reopened',
    breaks: 'I3',
    means: 'A request on its way opens a grant document again that was closed.',
    observed: 'history 25 of `races`: I3: `revoked` is recorded, its document is active',
    aliases: ['M14'],
    edits: [{ file: GRANT_DOCUMENT, find: `        if (existing.state === 'ended') return false;\n`, replace: '' }],
    killers: ['test/http/end-during-issuance.test.ts', MODEL],
  },
  {
    id: 'document-renewed-blindly',
    breaks: 'I3',
    means: 'A grant document is renewed without the condition that nobody closed it since it was read.',
    observed: 'history 77 of `races`: I3: `revoked` is recorded, its document is active',
    aliases: ['M13'],
    edits: [
      {
        file: GRANT_DOCUMENT,
        find: '.update(document(Math.max(existing.expires_at, expires_at)), {\n          lastUpdateTime,\n        });',
        replace: '.update(document(Math.max(existing.expires_at, expires_at)));',
      },
    ],
    killers: ['test/http/ledger/races.test.ts', MODEL],
  },
  {
    id: 'expired-by-a-fast-clock',
    breaks: 'I3',
    means: 'A sweep whose clock is fast calls an immediate grant expired, and the end of its job takes nothing away.',
    edits: [
      {
        file: GRANT_END,
        find: 'if (!surelyPast(existing.expires_at, now)) return undefined;',
        replace: `if (!surelyPast(existing.expires_at, now + (existing.revocation === 'immediate' ? 90_000 : 0)))
    return undefined;`,
      },
    ],
    killers: [GRANT_TEST],
  },
  {
    id: 'end-without-clock-margin',
    breaks: 'I3',
    means: 'The end of a job calls an immediate grant expired that other clocks still accept.',
    aliases: ['M20'],
    edits: [
      {
        file: GRANT_END,
        find: 'const expired = expire(marked, now);',
        replace: 'const expired = expire(marked, now + 90_000);',
      },
    ],
    killers: [GRANT_TEST],
  },
  {
    id: 'implausible-end-time',
    breaks: 'answers',
    means: 'A time at which the job cannot have finished is recorded as its end.',
    aliases: ['N15'],
    edits: [
      {
        file: GRANT_END,
        find: '  return at !== undefined && at >= from - MAX_JOB_TOKEN_AGE_MS && at <= until + FINISH_TIME_TOLERANCE_MS ? at : null;',
        replace: '  return at ?? null;',
      },
    ],
    killers: ['test/http/verified-webhooks.test.ts'],
  },
  {
    id: 'revoking-release-not-repeated',
    breaks: 'I3',
    means: 'A repeated release of a grant that is being revoked gets 200 before access is gone.',
    aliases: ['N13'],
    edits: [
      {
        file: 'functions/token/revoke.ts',
        find: "grant && (grant.state === 'revoking' || acceptedToken(grant, token_sha256, endedByEveryClock()));",
        replace: 'grant && acceptedToken(grant, token_sha256, clock.now());',
      },
    ],
    killers: ['test/http/revoke.test.ts'],
  },
  {
    id: 'revoking-grant-not-resumed',
    breaks: 'I3',
    means: 'Ending a grant that is being revoked does not resume its revocation.',
    aliases: ['N13'],
    edits: [{ file: ENDING_LEDGER, find: 'return ended ?? revoking;', replace: 'return ended;' }],
    killers: ['test/http/revoke.test.ts'],
  },
  {
    id: 'revocation-recorded-too-late',
    breaks: 'answers',
    means: 'A revocation that ended after its time is recorded where nobody reports it.',
    aliases: ['M23'],
    edits: [
      {
        file: REVOKE,
        find: `  if (deps.clock.now() >= until)
    throw new DependencyError('revocation', 'not_recorded', 'done too late to be recorded; the sweep records it');
`,
        replace: '',
      },
    ],
    killers: ['test/http/webhook-failures.test.ts'],
  },
];
