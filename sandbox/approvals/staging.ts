// Staging for the pipelines of a team, and with a token of the machine.

import { curl } from '../curl.ts';
import { lineOf } from '../function-log.ts';
import { isGranted, isRefused, type Play, requestShown } from './play.ts';

const OF_TEAM = 'staging-config';
const OF_MACHINE = 'staging-users';
const PROVIDER = 'build-machines';
/** Of no team. */
const FOREIGN = { pipeline_slug: 'web-copy', pipeline_id: '0184990a-0000-4000-8000-000000000000' };
const WITH_MACHINE = requestShown(OF_MACHINE, 'Keydesk-Actor-Token: $MACHINE_TOKEN');

export async function playTeam(play: Play): Promise<void> {
  const own = await play.request(await play.start(OF_TEAM), OF_TEAM);
  play.report({
    title: `A job of a pipeline of the team web requests "${OF_TEAM}": granted`,
    shown: requestShown(OF_TEAM),
    response: own,
    expected: isGranted(own),
  });
  const foreign = await play.request(await play.start(OF_TEAM, FOREIGN), OF_TEAM);
  const line = await lineOf(play.environment, foreign.body);
  play.report({
    title: `Somebody calls another pipeline ${FOREIGN.pipeline_slug}. It is not the team's: refused`,
    shown: requestShown(OF_TEAM),
    response: foreign,
    expected: {
      ...isRefused(foreign, 'access_denied'),
      'the reason in the log': line.includes('"pipeline_not_in_team"'),
    },
    line,
  });
}

export async function playMachine(play: Play): Promise<void> {
  const { environment } = play;
  const started = await play.start(OF_MACHINE);
  const alone = await play.request(started, OF_MACHINE);
  play.report({
    title: `A job token leaks, and somebody requests "${OF_MACHINE}" with it elsewhere: refused without a token of the machine`,
    shown: requestShown(OF_MACHINE),
    response: alone,
    expected: {
      ...isRefused(alone, 'invalid_request'),
      'the reason in the log': (await lineOf(environment, alone.body)).includes('"agent_token_missing"'),
    },
  });
  const tokenUrl = environment.machines.tokenUrlOf(PROVIDER);
  const elsewhere = await play.request(started, OF_MACHINE, (await curl(`${tokenUrl}?project=somebody-elses`)).body);
  const line = await lineOf(environment, elsewhere.body);
  play.report({
    title: 'The same with a token of a machine in another Google Cloud project: refused',
    shown: WITH_MACHINE,
    response: elsewhere,
    expected: {
      ...isRefused(elsewhere, 'access_denied'),
      'the reason in the log': line.includes('"agent_claims_differ"'),
    },
    line,
  });
  const issued = await curl(tokenUrl);
  play.report({
    title: "On its own machine, the job gets a token of the machine's metadata service",
    shown: 'curl $MACHINE',
    response: { ...issued, body: `${issued.body.slice(0, 12)}…` },
    expected: { 'status 200': issued.status === 200, 'a signed token': issued.body.split('.').length === 3 },
  });
  const granted = await play.request(started, OF_MACHINE, issued.body);
  play.report({
    title: 'It requests the credential with both tokens: granted',
    shown: WITH_MACHINE,
    response: granted,
    expected: isGranted(granted),
  });
}
