// Prints what a policy says of a job whose claims are all known.

import type { JobClaims } from '../shared/core/policy/claims.ts';
import { decide } from '../shared/core/policy/decide.ts';
import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import { visible } from '../shared/core/policy/visible-text.ts';
import { explainedAsJson, explainJob, type JobExplanation } from '../shared/core/policy-analysis/explain-job.ts';
import { explanationLines } from '../shared/core/policy-analysis/explanation-lines.ts';
import { readStatedJob, type StatedJob, toJobClaims } from '../shared/core/policy-analysis/stated-job.ts';
import { EXIT, fail, print, printJson, warn } from './terminal.ts';

interface Request {
  readonly read: ReadPolicy;
  /** The policy file. */
  readonly file: string;
  /** Where the claims are from, for messages. */
  readonly source: string;
  /** Names of credentials; none means the one that the text names, or else all. */
  readonly wanted: readonly string[];
  readonly json: boolean;
}

/** @param text what readStatedJob reads */
export function explainStatedJob(text: string, request: Request): void {
  const stated = readStatedJob(text);
  const source = request.source === '-' ? 'standard input' : request.source;
  if ('problem' in stated) fail(EXIT.failure, `${source}: ${stated.problem}`);
  explainClaims(stated, { ...request, source });
}

function explainClaims(stated: StatedJob, request: Request): void {
  const { read, source } = request;
  const job = toJobClaims(read.policy, stated);
  if ('problems' in job) fail(EXIT.failure, job.problems.map((problem) => `${source}: ${problem}`).join('\n'));
  const result = explain(job.claims, stated, request);
  if (request.json) printAsJson(job, stated, result, request);
  else printLines(job, stated, result, request);
}

interface Result {
  readonly explanations: readonly JobExplanation[];
  /** Other credentials that the job gets. */
  readonly instead: readonly string[];
  /** Those that it gets if conditions hold. */
  readonly insteadIf: readonly string[];
}

function explain(claims: JobClaims, { line }: StatedJob, { read: { policy, written }, wanted }: Request): Result {
  const known = Object.keys(policy.credentials);
  const named = wanted.length > 0 || line?.credential === undefined ? wanted : [line.credential];
  const names = named.length > 0 ? named : known;
  const explanations = names.map((name) => explainJob({ policy, written }, claims, name));
  const granted = explanations.filter(({ outcome }) => outcome === 'granted');
  const refused = explanations.filter(({ outcome }) => outcome === 'refused');
  const others = known.filter((name) => !names.includes(name));
  const outcomes = new Map(others.map((name) => [name, decide(policy, claims, name).outcome]));
  const instead = others.filter((name) => outcomes.get(name) === 'granted');
  const insteadIf = others.filter((name) => outcomes.get(name) === 'conditional');
  const conditional = explanations.filter(({ outcome }) => outcome === 'conditional');
  return { explanations: [...granted, ...conditional, ...refused], instead, insteadIf };
}

type Job = Exclude<ReturnType<typeof toJobClaims>, { problems: string[] }>;

function printAsJson(job: Job, { line, unknown }: StatedJob, { explanations, instead }: Result, { read }: Request) {
  printJson({
    policy_sha256: read.sha256,
    ...(line?.policy_sha256 !== undefined && { event_policy_sha256: line.policy_sha256 }),
    unknown_claims: unknown,
    job_token_problems: job.refusedFirst,
    decisions: explanations.map(explainedAsJson),
    granted_instead: instead,
  });
}

function printLines(
  job: Job,
  { line, unknown }: StatedJob,
  { explanations, instead, insteadIf }: Result,
  { read: { policy, sha256 }, file, source }: Request,
) {
  if (line?.policy_sha256 !== undefined && line.policy_sha256 !== sha256) warn(policyDiffers(file));
  if (unknown.length > 0)
    warn(`${source} does not say whether the job token has ${unknown.join(', ')}. They are taken as absent.`);
  for (const { reason, text } of job.refusedFirst) print(`Keydesk refuses this job token, ${reason}: ${text}`);
  for (const explanation of explanations)
    for (const one of explanationLines(explanation, { pipelines: policy.pipelines, contact: policy.contact, file }))
      print(one);
  if (explanations.some(({ outcome }) => outcome === 'conditional')) print(claimsDoNotDecide(line));
  if (explanations.length < Object.keys(policy.credentials).length)
    for (const one of insteadLines(instead, insteadIf, explanations)) print(one);
}

function insteadLines(
  instead: readonly string[],
  insteadIf: readonly string[],
  explanations: readonly JobExplanation[],
): string[] {
  const word = explanations.some(({ outcome }) => outcome === 'refused') ? 'instead' : 'also';
  if (instead.length + insteadIf.length === 0) return ['The job gets no other credential.'];
  return [
    ...(instead.length > 0 ? [`The job gets ${word}: ${instead.join(', ')}`] : []),
    ...(insteadIf.length > 0 ? [`The job gets ${word}, if their conditions hold: ${insteadIf.join(', ')}`] : []),
  ];
}

/** @param line of the audit log that has the claims */
export function claimsDoNotDecide(line: StatedJob['line']): string {
  const { event, request_id } = line ?? {};
  const refused = event === 'grant.refused' && request_id !== undefined;
  return refused
    ? `The claims alone do not decide, and this request was refused. To see which condition did not hold, run: keydesk explain ${visible(request_id)}`
    : 'The claims alone do not decide. To see how a request was decided, run: keydesk explain REQUEST_ID';
}

export function policyDiffers(file: string): string {
  return `${file} is not the policy that decided this request: its SHA-256 is another. The result can differ from what happened.`;
}
