// I2: once the end of a job is on record, or a grant was released, no request that was sent later receives a token. The other way
// round, a job that runs is not refused as ended. And no webhook that got a 2xx response is lost.

import { acceptedEnds, documentsById, type Evidence, issuedRequests, observed, timeOf } from './evidence.ts';
import { at, type Judged, Judgement } from './verdict.ts';

/** Within which an end that the ledger has was committed after the time that it names. */
const COMMIT_MS = 10_000;

export function judgeAfterEnd(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const { recorded } = acceptedEnds(evidence);
  const jobs = documentsById(evidence.ledger.jobs);
  const released = new Map<string, number>();
  for (const { operation, status, grant, ended } of observed(evidence, 'request'))
    if (operation === 'release' && status === 200 && grant !== undefined)
      released.set(grant, Math.min(ended, released.get(grant) ?? ended));
  for (const { job, grant, sent, token } of issuedRequests(evidence)) {
    const reported = recorded.get(job);
    judgement.expect(
      reported === undefined || sent <= reported,
      () =>
        `job ${job} got token ${token} at ${at(sent)}, after the webhook of its end had got 2xx at ${at(reported ?? 0)}`,
    );
    const ended = timeOf(jobs.get(job) ?? {}, 'ended_at');
    judgement.expect(
      ended === undefined || sent <= ended + COMMIT_MS,
      () => `job ${job} got token ${token} at ${at(sent)}, and its end is on record since ${at(ended ?? 0)}`,
    );
    const release = released.get(grant);
    judgement.expect(
      release === undefined || sent <= release,
      () => `grant ${grant} got token ${token} at ${at(sent)}, after it was released at ${at(release ?? 0)}`,
    );
  }
  return judgement;
}

export function judgeTombstones(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const jobs = documentsById(evidence.ledger.jobs);
  for (const [job, accepted] of acceptedEnds(evidence).recorded) {
    const ended = timeOf(jobs.get(job) ?? {}, 'ended_at');
    judgement.expect(
      ended !== undefined && ended <= accepted,
      () =>
        `the webhook of job ${job} got 2xx at ${at(accepted)}, and the ledger has ${ended === undefined ? 'no end of it' : `its end at ${at(ended)}`}`,
    );
  }
  const finished = finishTimes(evidence);
  for (const [job, fields] of jobs) {
    const ended = timeOf(fields, 'ended_at');
    if (ended === undefined) continue;
    const truly = finished.get(job);
    judgement.expect(
      truly !== undefined && ended >= truly,
      () =>
        `the ledger has the end of job ${job} at ${at(ended)}, and it ${truly === undefined ? 'never finished' : `finished at ${at(truly)}`}`,
    );
  }
  return judgement;
}

/** When each job finished in truth. */
function finishTimes(evidence: Evidence): ReadonlyMap<string, number> {
  return new Map(
    observed(evidence, 'job').flatMap(({ job, event, at: time }) =>
      event === 'finished' ? [[job, time] as const] : [],
    ),
  );
}

/** A job that runs, and has released nothing, is never refused for good. */
export function judgeRunningJobs(evidence: Evidence): Judged {
  const judgement = new Judgement();
  const requests = observed(evidence, 'request');
  const finishedAt = finishTimes(evidence);
  const releasing = new Set(
    requests.flatMap(({ operation, grant }) => (operation === 'release' && grant !== undefined ? [grant] : [])),
  );
  const grantsReleased = new Set(
    issuedRequests(evidence).flatMap(({ job, credential, grant }) =>
      releasing.has(grant) ? [`${job} ${credential}`] : [],
    ),
  );
  for (const { operation, client, status, error, job = '', credential, sent, ended } of requests) {
    if (operation !== 'issue' || client === 'unfinished' || status === undefined) continue;
    // A job that ends meanwhile is rightly refused.
    if (ended >= (finishedAt.get(job) ?? Number.POSITIVE_INFINITY)) continue;
    const excused = grantsReleased.has(`${job} ${credential}`);
    judgement.expect(
      status !== 400 || excused,
      () => `job ${job} ran and requested ${credential} at ${at(sent)}, and got 400 ${error}`,
    );
  }
  return judgement;
}
