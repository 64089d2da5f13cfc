// The demo: one job from its start to its end, with real curl. The job requests credentials and uses them, also where it may
// not. Then it finishes, and its credentials end. Each step compares the response with the expected one.

import { type CurlResponse, curl, parse, plainDocument, statusOfError } from './curl.ts';
import { type Environment, LEDGER } from './environment.ts';
import { lineOf } from './function-log.ts';
import { notify } from './notify.ts';
import { type Step, Steps } from './steps.ts';

/** The claims of the demo's job, by the names of the example policy. */
const DEMO_CLAIMS = { pipeline_slug: 'web' };
export const DEMO_JOB = { claims: DEMO_CLAIMS, conditions: {} };

/** Runs the demo; calls `onStep` after each step. @returns whether all steps passed */
export async function runDemo(environment: Environment, onStep: (step: Step) => void): Promise<boolean> {
  const steps = new Steps(onStep);
  const step = (
    title: string,
    shown: string,
    response: CurlResponse,
    expected: Record<string, boolean>,
    line?: string,
  ) => steps.report({ title, shown, response, expected, ...(line === undefined ? {} : { line }) });

  const { buildkite } = environment;
  const job = buildkite.startJob(DEMO_CLAIMS);
  const jobToken = await buildkite.jobToken(job);
  const requestToken = (token: string, credential = 'staging-config') =>
    curl('-X', 'POST', '-H', `Authorization: Bearer ${token}`, `${environment.token.url}/token/${credential}`);
  const requestShown = 'curl -X POST -H "Authorization: Bearer $JOB_TOKEN" $KEYDESK/token/staging-config';

  const issued = await requestToken(jobToken);
  const issueBody = parse(issued.body);
  const accessToken = String(issueBody.access_token);
  const grant_id = String(issueBody.grant_id);
  step(
    'A job requests "staging-config" with its Buildkite OIDC token, and gets a Firestore token',
    requestShown,
    issued,
    {
      'status 200': issued.status === 200,
      'a bearer token': issueBody.token_type === 'Bearer' && accessToken.split('.').length === 3,
      'revocation immediate': issueBody.revocation === 'immediate',
    },
  );

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
  const useShown = (path: string) => `curl -H "Authorization: Bearer $ACCESS_TOKEN" $DOCUMENTS/${path}`;

  const written = await use('config/web', ...writing);
  step(
    'The job writes the Firestore document config/web with this token',
    `${useShown('config/web')} -X PATCH -d '…'`,
    written,
    {
      'status 200': written.status === 200,
    },
  );
  const read = await use('config/web');
  step('The job reads the document', useShown('config/web'), read, {
    'status 200': read.status === 200,
    'what was written': read.body.includes('"replicas"'),
  });
  const elsewhere = statusOfError(await use('customers/1'));
  step(
    'The same token and another collection: denied, because the policy opens config/ and not customers/',
    useShown('customers/1'),
    elsewhere,
    {
      'status 403': elsewhere.status === 403,
    },
  );
  const grantDocument = statusOfError(await use(`keydesk_grants/${grant_id}`));
  step('The same token and the record of its own grant: denied too', useShown('keydesk_grants/$GRANT'), grantDocument, {
    'status 403': grantDocument.status === 403,
  });

  const foreignJob = buildkite.startJob({
    pipeline_id: '0184990a-0000-4000-8000-000000000000',
    pipeline_slug: 'other',
  });
  const foreign = await requestToken(await buildkite.jobToken(foreignJob));
  const foreignLine = await lineOf(environment, foreign.body);
  step(
    'A job of another pipeline requests "staging-config": refused. Only the log has the reason',
    requestShown,
    foreign,
    {
      'status 400': foreign.status === 400,
      invalid_target: parse(foreign.body).error === 'invalid_target',
      'no reason in the response': !foreign.body.includes('no_matching_rule'),
      'the reason in the log': foreignLine.includes('"no_matching_rule"') && foreignLine.includes('claim_mismatch'),
    },
    foreignLine,
  );

  const forged = await requestToken(await forge(jobToken));
  const forgedLine = await lineOf(environment, forged.body);
  step(
    'A forged job token: refused, with one response for every invalid token. Only the log has the reason',
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
  const gateShown = 'curl -H "Authorization: Bearer $ADMIN_TOKEN" $GOOGLE/gate';
  step(
    'The job requests "staging-admin": the token of a service account that serves this job alone',
    requestShown.replace('config', 'admin'),
    pooled,
    {
      'status 200': pooled.status === 200,
      'revocation propagating': parse(pooled.body).revocation === 'propagating',
    },
  );
  const throughGate = await atGate();
  const account = String(parse(throughGate.body).account);
  step('A Google API accepts this token. /gate stands for any of them', gateShown, throughGate, {
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
    `curl -H "Authorization: Bearer $CACHE_TOKEN" -d warm "$GOOGLE/upload/storage/v1/b/acme-ci-cache/o?uploadType=media&name=${name}"`;
  step(
    'The job requests "staging-cache": a token for the folder warm/ of a Cloud Storage bucket',
    requestShown.replace('config', 'cache'),
    cached,
    {
      'status 200': cached.status === 200,
      'revocation expiry': parse(cached.body).revocation === 'expiry',
    },
  );
  const inside = await upload('warm/page');
  step('The job uploads an object to this folder', uploadShown('warm/page'), inside, {
    'status 200': inside.status === 200,
  });
  const outside = await upload('cold/page');
  step('An upload to another folder: denied', uploadShown('cold/page'), outside, {
    'status 403': outside.status === 403,
  });

  const body = buildkite.event(job);
  const finished = await notify(environment, body);
  step(
    "The job finishes. Buildkite sends its signed webhook, and Keydesk ends the job's grants",
    'curl -H "X-Buildkite-Signature: $SIGNATURE" -d @job.finished $WEBHOOK/',
    finished,
    {
      'status 200': finished.status === 200,
      'two grants revoked': parse(finished.body).revoked === 2,
      'the third, of a shared account, not renewed': parse(finished.body).not_renewed === 1,
    },
  );

  const afterwards = statusOfError(await use('config/web'));
  step('The same Firestore request with the same token: denied at once', useShown('config/web'), afterwards, {
    'status 403': afterwards.status === 403,
  });
  const disabledResponse = await atGate();
  step('The service account of "staging-admin" is disabled: Google rejects its token', gateShown, disabledResponse, {
    'status 401': disabledResponse.status === 401,
    ACCOUNT_STATE_INVALID: disabledResponse.body.includes('ACCOUNT_STATE_INVALID'),
  });
  const swept = await curl('-X', 'POST', `${environment.sweep.url}/`);
  const pool = (parse(swept.body).pools as Record<string, Record<string, unknown>> | undefined)?.['staging-admin'];
  step(
    'The sweep runs each minute in a deployment. It enables the account again when its token has expired, not before',
    'curl -X POST $SWEEP/',
    swept,
    {
      'status 200': swept.status === 200,
      'one account cooling down': pool?.cooling_down === 1 && pool.free === 2,
      'still disabled': environment.google.accounts.get(account)?.disabled === true,
    },
  );
  const lingering = await curl('--data-urlencode', `token=${cacheToken}`, `${environment.token.url}/introspect`);
  step(
    'The token for the bucket cannot be revoked: it works until it expires, and is not renewed',
    'curl --data-urlencode token@- $KEYDESK/introspect',
    lingering,
    {
      'still active': parse(lingering.body).active === true,
      'not renewable': parse(lingering.body).renewable === false,
    },
  );
  const again = await requestToken(jobToken);
  step('The job requests a credential again, with a job token that is still valid: refused', requestShown, again, {
    'status 400': again.status === 400,
    invalid_grant: parse(again.body).error === 'invalid_grant',
  });

  const record = await curl(
    '-H',
    'Authorization: Bearer owner',
    `http://${environment.firestoreHost}/v1/projects/${LEDGER.project}/databases/${LEDGER.database}/documents/grants/${grant_id}`,
  );
  step(
    'The record of the first grant in Firestore: it has the SHA-256 of the token, not the token',
    'the document grants/$GRANT of the ledger',
    { ...record, body: plainDocument(record.body) },
    {
      'status 200': record.status === 200,
      'state revoked': record.body.includes('"revoked"'),
      'no token in it': !record.body.includes(accessToken) && !record.body.includes(jobToken),
    },
  );

  const releasing = buildkite.startJob(DEMO_CLAIMS);
  const heldToken = parse((await requestToken(await buildkite.jobToken(releasing), 'staging-admin')).body);
  const revoked = await curl('--data-urlencode', `token=${heldToken.access_token}`, `${environment.token.url}/revoke`);
  const introspected = await curl(
    '--data-urlencode',
    `token=${heldToken.access_token}`,
    `${environment.token.url}/introspect`,
  );
  step('Another job releases its credential before it ends', 'curl --data-urlencode token@- $KEYDESK/revoke', revoked, {
    'status 200': revoked.status === 200,
    'not active any more': parse(introspected.body).active === false,
  });

  const wrong = await notify(environment, body, buildkite.signature(`${body} `));
  step(
    'A webhook with a wrong signature: refused',
    'curl -H "X-Buildkite-Signature: $WRONG" -d @job.finished $WEBHOOK/',
    wrong,
    { 'status 401': wrong.status === 401 },
  );
  return steps.succeeded;
}

/** The same token with a changed claim, so that the signature is wrong. */
async function forge(jobToken: string): Promise<string> {
  const [header, payload = '', signature] = jobToken.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  const forged = Buffer.from(JSON.stringify({ ...claims, build_branch: 'release/1' })).toString('base64url');
  return [header, forged, signature].join('.');
}
