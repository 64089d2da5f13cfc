// Break-glass access, with the rule of examples/break-glass: who gets into production at night, for how long, and who learns of it.

import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { systemClock } from '../../shared/runtime/clock.ts';
import type { StartedJob } from '../build-of-job.ts';
import { curl, parse, statusOfError } from '../curl.ts';
import { PERSONAL_API_TOKEN } from '../fakes/buildkite/rest-api.ts';
import { lineOf, lineWith } from '../function-log.ts';
import { ROOT } from '../functions.ts';
import { notify } from '../notify.ts';
import { PERSON } from '../shell-commands.ts';
import { isGranted, isPending, isRefused, type Play, requestShown, UNBLOCKED_SHOWN } from './play.ts';

const CREDENTIAL = 'production-repair';
const STEP = 'approve-repair';
const SHOWN = requestShown(CREDENTIAL);
const REASON = 'INC-1042: the checkout is frozen';
const DAY_MS = 24 * 3_600_000;

export async function playBreakGlass(play: Play): Promise<void> {
  await playWithoutReason(play);
  const started = await play.start(CREDENTIAL, {}, { metaData: { 'break-glass-reason': REASON } });
  await playGrant(play, started);
  await playReview(play);
}

async function playWithoutReason(play: Play): Promise<void> {
  const started = await play.start(CREDENTIAL, {}, { metaData: {} });
  await play.approve(started, play.environment.people.bob);
  const refused = await play.request(started, CREDENTIAL);
  const line = await lineOf(play.environment, refused.body);
  play.report({
    title: `At night Alice, who is on call, starts a build of break-glass without a reason. Bob approves it. "${CREDENTIAL}" is refused`,
    shown: SHOWN,
    response: refused,
    expected: {
      ...isRefused(refused, 'access_denied'),
      'the reason in the log': parse(line).problem === 'approval_without_reason',
    },
  });
}

async function playGrant(play: Play, started: StartedJob): Promise<void> {
  const { environment } = play;
  const early = await play.request(started, CREDENTIAL);
  play.report({
    title: `She starts another build, with the reason "${REASON}". Alone she gets nothing`,
    shown: SHOWN,
    response: early,
    expected: isPending(early, STEP),
  });
  const notified = await play.approve(started, environment.people.bob);
  play.report({
    title: `Bob unblocks the step ${STEP}`,
    shown: UNBLOCKED_SHOWN,
    response: notified,
    expected: { 'status 200': notified.status === 200, recorded: parse(notified.body).result === 'build_recorded' },
  });
  const granted = await play.request(started, CREDENTIAL);
  const { access_token, grant_id } = parse(granted.body);
  const line = await lineWith(environment, '"grant.break_glass"', String(grant_id));
  play.report({
    title: 'The glass is broken: granted. A CRITICAL line in the log raises the alert',
    shown: SHOWN,
    response: granted,
    expected: { ...isGranted(granted), 'a CRITICAL line': parse(line).severity === 'CRITICAL' },
    line,
  });
  await playRepair(play, started, String(access_token));
}

async function playRepair({ environment, report }: Play, { job }: StartedJob, accessToken: string): Promise<void> {
  const credential = environment.policy.credentials[CREDENTIAL];
  if (credential?.kind !== 'firestore') throw new Error(`${CREDENTIAL} is not for Firestore`);
  const documents = `http://${environment.firestoreHost}/v1/projects/${credential.project}/databases/(default)/documents`;
  const repair = () =>
    curl(
      ...['-X', 'PATCH', '-H', `Authorization: Bearer ${accessToken}`, '-H', 'Content-Type: application/json'],
      ...['-d', '{"fields":{"frozen":{"booleanValue":false}}}', `${documents}/config/checkout`],
    );
  const shown = 'curl -H "Authorization: Bearer $ACCESS_TOKEN" -X PATCH -d \'…\' $DOCUMENTS/config/checkout';
  const repaired = await repair();
  report({
    title: 'The job repairs a document of production',
    shown,
    response: repaired,
    expected: { 'status 200': repaired.status === 200 },
  });
  const finished = await notify(environment, environment.buildkite.event(job));
  report({
    title: 'The job finishes. Buildkite sends its signed webhook, and access ends with the job',
    shown: 'curl -H "X-Buildkite-Signature: $SIGNATURE" -d @job.finished $WEBHOOK/',
    response: finished,
    expected: { 'status 200': finished.status === 200, 'a grant revoked': parse(finished.body).revoked === 1 },
  });
  const afterwards = statusOfError(await repair());
  report({
    title: 'The same Firestore request with the same token: denied at once',
    shown,
    response: afterwards,
    expected: { 'status 403': afterwards.status === 403, 'the status alone': afterwards.body === 'PERMISSION_DENIED' },
  });
}

async function playReview(play: Play): Promise<void> {
  const now = systemClock.now();
  const [from, to] = [now - DAY_MS, now + DAY_MS].map((time) => new Date(time).toISOString().slice(0, 10));
  const period = ['--from', String(from), '--to', String(to), '--environment', 'production'];
  const { code, lines } = await runReview(play, period);
  const at = lines.findIndex((line) => line.includes('(break_glass)'));
  const found = at < 0 ? [] : lines.slice(at, at + 2);
  const response = { status: `exit ${code}`, body: found.join(' ') };
  play.report({
    title: "The month's review lists the use as owed a look: who approved it, and the reason. So its exit code is 1",
    shown: `keydesk review ${period.join(' ')}`,
    response,
    expected: {
      'exit code 1': code === 1,
      'one use, not the refused one': found[0]?.trimEnd().endsWith(': 1') === true,
      'the approver by name': response.body.includes(play.environment.people.bob.name),
      'the reason': response.body.includes(REASON),
    },
  });
}

/** As Alice, who signs in with Google. */
async function runReview({ environment }: Play, period: readonly string[]) {
  const { google, reader, buildkite } = environment;
  const { body: idToken } = await curl(`${google.url}/people/${PERSON}/id-token`);
  const env = {
    ...process.env,
    KEYDESK_READER_URL: reader.url,
    KEYDESK_ID_TOKEN: idToken,
    KEYDESK_BUILDKITE_API_URL: buildkite.url,
    BUILDKITE_API_TOKEN: PERSONAL_API_TOKEN,
  };
  const command = [join(ROOT, 'cli', 'keydesk.ts'), 'review', ...period];
  const ran = await promisify(execFile)(process.execPath, command, { env, timeout: 60_000 }).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { readonly code?: unknown; readonly stdout?: string }) => ({
      code: Number(error.code ?? -1),
      stdout: error.stdout ?? '',
    }),
  );
  return { code: ran.code, lines: ran.stdout.split('\n').map((line) => line.trim()) };
}
