// Production after an approval: who may approve, and what happens while nobody has.

import { curl, parse } from '../curl.ts';
import { lineOf, lineWith } from '../function-log.ts';
import { isGranted, isPending, isRefused, type Play, requestShown, UNBLOCKED_SHOWN } from './play.ts';

const CREDENTIAL = 'production-config';
const STEP = 'approve-production';
const SHOWN = requestShown(CREDENTIAL);

export async function playProduction(play: Play): Promise<void> {
  await playApproval(play);
  await playWrongApprover(play, {
    name: 'alice',
    title: 'Alice approves a build that she started herself: refused',
    problem: 'approver_is_creator',
  });
  await playWrongApprover(play, {
    name: 'carol',
    title: 'Carol approves a build, and is no release manager: refused',
    problem: 'approver_not_in_team',
  });
  await playLostWebhook(play);
}

async function playApproval(play: Play): Promise<void> {
  const { people } = play.environment;
  const started = await play.start(CREDENTIAL);
  const early = await play.request(started, CREDENTIAL);
  play.report({
    title: `Alice has started a build. Its job requests "${CREDENTIAL}" before anybody approved: refused, and the job may ask again`,
    shown: SHOWN,
    response: early,
    expected: { ...isPending(early, STEP), 'no token': !('access_token' in parse(early.body)) },
  });
  const notified = await play.approve(started, people.bob);
  play.report({
    title: `Bob, a release manager, unblocks the step ${STEP} in Buildkite, which sends its signed webhook`,
    shown: UNBLOCKED_SHOWN,
    response: notified,
    expected: { 'status 200': notified.status === 200, recorded: parse(notified.body).result === 'build_recorded' },
  });
  const granted = await play.request(started, CREDENTIAL);
  play.report({
    title: 'The same job requests the credential again: granted. Neither the job nor Keydesk was restarted',
    shown: SHOWN,
    response: granted,
    expected: isGranted(granted),
  });
}

async function playWrongApprover(
  play: Play,
  { name, title, problem }: { readonly name: 'alice' | 'carol'; readonly title: string; readonly problem: string },
): Promise<void> {
  const started = await play.start(CREDENTIAL);
  const notified = await play.approve(started, play.environment.people[name]);
  const refused = await play.request(started, CREDENTIAL);
  const line = await lineOf(play.environment, refused.body);
  play.report({
    title,
    shown: SHOWN,
    response: refused,
    expected: {
      'the webhook recorded': parse(notified.body).result === 'build_recorded',
      ...isRefused(refused, 'access_denied'),
      'the reason in the log': parse(line).problem === problem,
    },
  });
}

async function playLostWebhook(play: Play): Promise<void> {
  const { environment } = play;
  const { buildkite, people, sweep } = environment;
  const started = await play.start(CREDENTIAL);
  const early = await play.request(started, CREDENTIAL);
  play.report({
    title: 'A job of another build requests it, and waits too. Bob unblocks its step, but the webhook is lost',
    shown: SHOWN,
    response: early,
    expected: isPending(early, STEP),
  });
  if (started.step) buildkite.builds.unblock(started.step, people.bob);
  const swept = await curl('-X', 'POST', `${sweep.url}/`);
  const line = await lineWith(environment, '"build.unblocked"', String(parse(swept.body).request_id));
  play.report({
    title:
      'The sweep runs each minute in a deployment. It looks up builds at Buildkite for which jobs wait, and finds the approval',
    shown: 'curl -X POST $SWEEP/',
    response: swept,
    expected: {
      'status 200': swept.status === 200,
      'the approval found': parse(line).found_by === 'look' && parse(line).build_number === started.build?.number,
    },
    line,
  });
  const granted = await play.request(started, CREDENTIAL);
  play.report({
    title: 'The job that waited requests the credential again: granted',
    shown: SHOWN,
    response: granted,
    expected: isGranted(granted),
  });
}
