// One job's life, told with real curl: it asks for a key, uses it, is refused elsewhere, finishes, and is refused
// everywhere. Every step says what should come back and fails when something else does.

import { systemClock } from '../shared/runtime/clock.ts';
import { type CurlResponse, curl, hideTokens, parse, plainDocument } from './curl.ts';
import { type Environment, LEDGER } from './environment.ts';

export interface Step {
  readonly title: string;
  readonly shown: string;
  readonly status: number;
  readonly body: string;
  /** What the functions' log says of it, where the answer does not. */
  readonly logged?: string;
  /** What was promised and did not come; undefined when the step went as promised. */
  readonly problem: string | undefined;
}

/** Plays the story; `onStep` hears of each step as it is over. True when all went as promised. */
export async function runDemo(environment: Environment, onStep: (step: Step) => void): Promise<boolean> {
  let succeeded = true;
  const step = (
    title: string,
    shown: string,
    { status, body }: CurlResponse,
    expected: Record<string, boolean>,
    line?: string,
  ) => {
    const unmet = Object.entries(expected).filter(([, met]) => !met);
    const problem = unmet.length > 0 ? unmet.map(([expectation]) => expectation).join('; ') : undefined;
    succeeded &&= problem === undefined;
    const logged = line === undefined ? {} : { logged: String(parse(line).message) };
    onStep({ title, shown, status, body: hideTokens(body), ...logged, problem });
  };

  const { buildkite } = environment;
  const job = buildkite.startJob();
  const jobToken = await buildkite.jobToken(job);
  const requestToken = (token: string, credential = 'staging-config') =>
    curl('-X', 'POST', '-H', `Authorization: Bearer ${token}`, `${environment.token.url}/token/${credential}`);
  const requestShown = 'curl -X POST -H "Authorization: Bearer $JOB_TOKEN" $KEYDESK/token/staging-config';

  const issued = await requestToken(jobToken);
  const issueBody = parse(issued.body);
  const accessToken = String(issueBody.access_token);
  const grant_id = String(issueBody.grant_id);
  step('The job asks for "staging-config" and gets a token', requestShown, issued, {
    'status 200': issued.status === 200,
    'a bearer token': issueBody.token_type === 'Bearer' && accessToken.split('.').length === 3,
    'revocation immediate': issueBody.revocation === 'immediate',
  });

  const documents = `http://${environment.firestoreHost}/v1/projects/acme-staging/databases/(default)/documents`;
  const use = (path: string, ...args: string[]) =>
    curl(
      '-H',
      `Authorization: Bearer ${accessToken}`,
      '-H',
      'Content-Type: application/json',
      ...args,
      `${documents}/${path}`,
    );
  const fields = '{"fields":{"replicas":{"integerValue":"3"}}}';
  const writing = ['-X', 'PATCH', '-d', fields];
  const useShown = (path: string) => `curl -H "Authorization: Bearer $ACCESS_TOKEN" $FIRESTORE/${path}`;

  const written = await use('config/web', ...writing);
  step('With it the job writes config/web', `${useShown('config/web')} -X PATCH -d '…'`, written, {
    'status 200': written.status === 200,
  });
  const read = await use('config/web');
  step('… and reads it back', useShown('config/web'), read, {
    'status 200': read.status === 200,
    'what was written': read.body.includes('"replicas"'),
  });
  const elsewhere = await use('customers/1');
  step('The same token at another collection', useShown('customers/1'), elsewhere, {
    'status 403': elsewhere.status === 403,
  });
  const grantDocument = await use(`keydesk_grants/${grant_id}`);
  step('… and at the grant document itself', useShown('keydesk_grants/$GRANT'), grantDocument, {
    'status 403': grantDocument.status === 403,
  });

  const foreignJob = buildkite.startJob({
    pipeline_id: '0184990a-0000-4000-8000-000000000000',
    pipeline_slug: 'other',
  });
  const foreign = await requestToken(await buildkite.jobToken(foreignJob));
  const foreignLine = await lineOf(environment, parse(foreign.body).request_id);
  step(
    "Another pipeline's job asks for it: refused, and the reason is in the log only",
    requestShown,
    foreign,
    {
      'status 400': foreign.status === 400,
      invalid_target: parse(foreign.body).error === 'invalid_target',
      'no reason in the answer': !foreign.body.includes('no_matching_rule'),
      'the reason in the log': foreignLine.includes('"no_matching_rule"') && foreignLine.includes('claim_mismatch'),
    },
    foreignLine,
  );

  const forged = await requestToken(await forge(jobToken));
  const forgedLine = await lineOf(environment, parse(forged.body).request_id);
  step(
    'A forged job token: the one answer every bad token gets',
    requestShown,
    forged,
    {
      'status 401': forged.status === 401,
      invalid_token: parse(forged.body).error === 'invalid_token',
      'the reason in the log': forgedLine.includes('job_token_signature_invalid'),
    },
    forgedLine,
  );

  const pooled = await requestToken(jobToken, 'staging-admin');
  const adminToken = String(parse(pooled.body).access_token);
  const atGate = () => curl('-H', `Authorization: Bearer ${adminToken}`, `${environment.google.url}/gate`);
  const gateShown = 'curl -H "Authorization: Bearer $ADMIN_TOKEN" $ANY_GOOGLE_API';
  step(
    'The job asks for "staging-admin": a service account of its own',
    requestShown.replace('config', 'admin'),
    pooled,
    {
      'status 200': pooled.status === 200,
      'revocation propagating': parse(pooled.body).revocation === 'propagating',
    },
  );
  const throughGate = await atGate();
  const account = String(parse(throughGate.body).account);
  step('Its token opens a Google API', gateShown, throughGate, {
    'status 200': throughGate.status === 200,
    'an account of the pool': account.startsWith('ci-'),
  });

  const cached = await requestToken(jobToken, 'staging-cache');
  const cacheToken = String(parse(cached.body).access_token);
  const upload = (name: string) =>
    curl(
      '-H',
      `Authorization: Bearer ${cacheToken}`,
      '-d',
      'warm',
      `${environment.google.url}/upload/storage/v1/b/acme-ci-cache/o?uploadType=media&name=${encodeURIComponent(name)}`,
    );
  const uploadShown = (name: string) =>
    `curl -H "Authorization: Bearer $CACHE_TOKEN" -d warm $STORAGE/acme-ci-cache/${name}`;
  step('The job asks for "staging-cache": a folder of a bucket', requestShown.replace('config', 'cache'), cached, {
    'status 200': cached.status === 200,
    'revocation expiry': parse(cached.body).revocation === 'expiry',
  });
  const inside = await upload('warm/page');
  step('Its token writes to that folder', uploadShown('warm/page'), inside, { 'status 200': inside.status === 200 });
  const outside = await upload('cold/page');
  step('… and to no other', uploadShown('cold/page'), outside, { 'status 403': outside.status === 403 });

  const body = buildkite.event(job);
  const finished = await notify(environment, body, buildkite.signature(body));
  step(
    'Buildkite says, signed, that the job has finished',
    'curl -H "X-Buildkite-Signature: $SIGNATURE" -d @job.finished $WEBHOOK/',
    finished,
    {
      'status 200': finished.status === 200,
      'two grants revoked': parse(finished.body).revoked === 2,
      'the third, of a shared account, not renewed any more': parse(finished.body).not_renewed === 1,
    },
  );

  const afterwards = await use('config/web');
  step('The same Firestore call, the same token, a moment later', useShown('config/web'), afterwards, {
    'status 403': afterwards.status === 403,
  });
  const disabledResponse = await atGate();
  step('The pooled account is disabled: its token is dead at every Google API', gateShown, disabledResponse, {
    'status 401': disabledResponse.status === 401,
    ACCOUNT_STATE_INVALID: disabledResponse.body.includes('ACCOUNT_STATE_INVALID'),
  });
  const swept = await curl('-X', 'POST', `${environment.sweep.url}/`);
  const pool = (parse(swept.body).pools as Record<string, Record<string, unknown>> | undefined)?.['staging-admin'];
  step('The account rests: the sweep leaves it disabled until its token has expired', 'curl -X POST $SWEEP/', swept, {
    'status 200': swept.status === 200,
    'one account cooling down': pool?.cooling_down === 1 && pool.free === 2,
    'still disabled': environment.google.accounts.get(account)?.disabled === true,
  });
  const lingering = await curl('--data-urlencode', `token=${cacheToken}`, `${environment.token.url}/introspect`);
  step(
    "The bucket's token cannot be taken away; it works until it expires, and Keydesk says so",
    'curl --data-urlencode token@- $KEYDESK/introspect',
    lingering,
    {
      'still active': parse(lingering.body).active === true,
      'not renewable': parse(lingering.body).renewable === false,
    },
  );
  const again = await requestToken(jobToken);
  step('The job token is still valid for minutes; it asks again', requestShown, again, {
    'status 400': again.status === 400,
    invalid_grant: parse(again.body).error === 'invalid_grant',
  });

  const record = await curl(
    '-H',
    'Authorization: Bearer owner',
    `http://${environment.firestoreHost}/v1/projects/${LEDGER.project}/databases/${LEDGER.database}/documents/grants/${grant_id}`,
  );
  step(
    'The grant as it stands in Firestore',
    'the document grants/$GRANT of the ledger',
    { ...record, body: plainDocument(record.body) },
    {
      'status 200': record.status === 200,
      'state revoked': record.body.includes('"revoked"'),
      'no token in it': !record.body.includes(accessToken) && !record.body.includes(jobToken),
    },
  );

  const releasing = buildkite.startJob();
  const heldToken = parse((await requestToken(await buildkite.jobToken(releasing), 'staging-admin')).body);
  const revoked = await curl('--data-urlencode', `token=${heldToken.access_token}`, `${environment.token.url}/revoke`);
  const introspected = await curl(
    '--data-urlencode',
    `token=${heldToken.access_token}`,
    `${environment.token.url}/introspect`,
  );
  step('Another job returns its key before it ends', 'curl --data-urlencode token@- $KEYDESK/revoke', revoked, {
    'status 200': revoked.status === 200,
    'not active any more': parse(introspected.body).active === false,
  });

  const wrong = await notify(environment, body, buildkite.signature(`${body} `));
  step(
    'A webhook whose signature is wrong',
    'curl -H "X-Buildkite-Signature: $WRONG" -d @job.finished $WEBHOOK/',
    wrong,
    { 'status 401': wrong.status === 401 },
  );
  return succeeded;
}

/** Buildkite's side of a webhook. */
function notify(environment: Environment, body: string, signature: string): Promise<CurlResponse> {
  return curl(
    '-X',
    'POST',
    '-H',
    'Content-Type: application/json',
    '-H',
    `X-Buildkite-Signature: ${signature}`,
    '--data-binary',
    body,
    `${environment.webhook.url}/`,
  );
}

/** The same token with another job in it, so that the signature does not fit. */
async function forge(jobToken: string): Promise<string> {
  const [header, payload = '', signature] = jobToken.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, build_branch: 'release/1' })).toString('base64url');
  return [header, forged, signature].join('.');
}

/** The audit line of a request; the functions write it before they answer, the pipe brings it a moment later. */
async function lineOf(environment: Environment, requestId: unknown): Promise<string> {
  for (let tries = 0; tries < 100; tries += 1) {
    const line = environment.log.find((candidate) => candidate.includes(String(requestId)));
    if (line) return line;
    await systemClock.sleep(20);
  }
  return '';
}
