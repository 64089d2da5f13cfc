// Sums up trials: a distribution for each target, and what is wrong. Joins the documents of several runs. Pure.

import { distributionOf } from './distribution.ts';
import {
  FORMAT,
  type LiveDocument,
  type Measured,
  type Method,
  type Problem,
  type Result,
  type Run,
  type Trial,
} from './document.ts';
import { ENDS_BY_EXPIRY } from './targets.ts';

const NOT_MEASURED_TEXT: Readonly<Record<NonNullable<Trial['not_measured']>, string>> = {
  refused: 'Keydesk did not issue it',
  ends_by_expiry: ENDS_BY_EXPIRY,
  open_without_token:
    'a target did not reject a request without a token, so its responses say nothing about one. Give a URL that only the token may read',
  not_accepted_before:
    'a target did not accept the token before its release. Check the URL, and what the credential may read',
  expires_too_soon: 'its token expires before it could be rejected often enough. Give the credential a longer ttl',
  not_released: 'Keydesk did not confirm the release, so there is no time to count from',
};

/** @param leastTrials that each target needs; fewer are a problem. Undefined for a run of its own, whose trials are joined later */
export function summarize(
  {
    method,
    runs,
    trials,
  }: { readonly method: Method; readonly runs: readonly Run[]; readonly trials: readonly Trial[] },
  leastTrials?: number,
): LiveDocument {
  const results = resultsOf(trials);
  const problems = [
    ...trials.flatMap((trial, index) => problemsOf(trial, index)),
    ...(leastTrials === undefined ? [] : results.flatMap((result) => tooFew(result, leastTrials))),
  ];
  return { format: FORMAT, method, runs: [...runs], trials: [...trials], results, problems };
}

/** @throws Error for people when the documents were not made by the same method, or one run is in them twice */
export function join(documents: readonly LiveDocument[], leastTrials: number): LiveDocument {
  const [first] = documents;
  if (!first) throw new Error('There is no document to join.');
  const runs: Run[] = [];
  const trials: Trial[] = [];
  const seen = new Set<string>();
  for (const document of documents) {
    if (JSON.stringify(document.method) !== JSON.stringify(first.method))
      throw new Error('The documents were measured by different methods. Join those of one command line.');
    for (const [index, run] of document.runs.entries()) refuseTwice(seen, run, trialsOf(document, index));
    trials.push(...document.trials.map((trial) => ({ ...trial, run: trial.run + runs.length })));
    runs.push(...document.runs);
  }
  return summarize({ method: first.method, runs, trials }, leastTrials);
}

/** A run that counts twice would make a distribution of fewer trials than it says. */
function refuseTwice(seen: Set<string>, run: Run, trials: readonly Trial[]): void {
  const key = JSON.stringify([run, trials]);
  if (seen.has(key))
    throw new Error(`The run that began at ${run.started_at} is in the documents twice. Give each file once.`);
  seen.add(key);
}

/** With its place in the document left out. */
function trialsOf({ trials }: LiveDocument, run: number): Trial[] {
  return trials.filter((trial) => trial.run === run).map((trial) => ({ ...trial, run: 0 }));
}

/**
 * For each target of each credential, in the order of the command line. Credentials of several commands may have one label: those that end in
 * different ways are different rows.
 */
function resultsOf(trials: readonly Trial[]): Result[] {
  const byTarget = new Map<string, { trial: Trial; measured: Measured }[]>();
  for (const trial of trials)
    for (const [index, measured] of trial.targets.entries()) {
      const key = JSON.stringify([trial.credential, trial.revocation, index, measured.api]);
      byTarget.set(key, [...(byTarget.get(key) ?? []), { trial, measured }]);
    }
  return [...byTarget.values()].flatMap((of) => {
    const [first] = of;
    return first
      ? [
          resultOf(
            first.trial,
            of.map(({ measured }) => measured),
          ),
        ]
      : [];
  });
}

function resultOf({ credential, revocation }: Trial, measured: readonly Measured[]): Result {
  const ended = measured.filter(({ outcome }) => outcome === 'ended');
  const count = (outcome: Measured['outcome']) => measured.filter((one) => one.outcome === outcome).length;
  const total = (field: 'accepted' | 'rejected' | 'errors' | 'flips') =>
    measured.reduce((sum, one) => sum + one[field], 0);
  return {
    credential,
    api: measured[0]?.api ?? 'other',
    revocation,
    trials: measured.length,
    ended: ended.length,
    still_accepted: count('still_accepted'),
    undecided: count('undecided'),
    accepted: total('accepted'),
    rejected: total('rejected'),
    errors: total('errors'),
    flips: total('flips'),
    observed_revocation_latency_s: distributionOf(ended.map(({ last_accepted_s }) => last_accepted_s)) ?? null,
    from_sending_s: distributionOf(ended.map((one) => one.last_accepted_from_sending_s)) ?? null,
  };
}

function problemsOf({ credential, not_measured, released, targets }: Trial, trial: number): Problem[] {
  const about = { credential, trial };
  const problems: Problem[] = targets.flatMap(({ outcome, api, watched_s }) => {
    if (outcome === 'ended') return [];
    const since = `${watched_s.toFixed(1)} s after the response to its release, when the trial ended`;
    const what =
      outcome === 'still_accepted'
        ? `${api} still accepted the token ${since}`
        : `${api} neither accepted the token nor rejected it often enough in a row: it is not known whether it had ended ${since}`;
    return [{ ...about, code: outcome, api, what }];
  });
  if (not_measured !== null)
    problems.push({ ...about, code: 'not_measured', api: null, what: NOT_MEASURED_TEXT[not_measured] });
  if (!released)
    problems.push({
      ...about,
      code: 'grant_left',
      api: null,
      what: 'Keydesk did not confirm that the canary grant has ended. The end of the job ends it',
    });
  return problems;
}

function tooFew({ credential, api, trials }: Result, least: number): Problem[] {
  if (trials >= least) return [];
  const what = `${api} has ${trials} of ${least} trials: too few for a distribution. Measure in more jobs`;
  return [{ code: 'too_few_trials', credential, trial: null, api, what }];
}
