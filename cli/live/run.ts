// `keydesk doctor --live`: one trial of each credential, and the release of every grant that was made, however it ends.

import { readFileSync } from 'node:fs';
import { parseJson } from '../../shared/core/json.ts';
import { type Clock, systemClock } from '../../shared/runtime/clock.ts';
import { errorMessage } from '../../shared/runtime/errors.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { VERSION } from '../../shared/version.ts';
import { readPolicy, readText } from '../policy-file.ts';
import { EXIT, fail, note, print, printJson } from '../terminal.ts';
import { CanaryGrants } from './canary-grants.ts';
import { documentSchema, type LiveDocument, type Trial } from './document.ts';
import { givenJobToken, jobTokensOfAgent } from './job-token.ts';
import { logLinesOf } from './log-lines.ts';
import { PAUSE_MS } from './method.ts';
import { type LiveOptions, plannedRun } from './options.ts';
import { createService } from './service.ts';
import { join, summarize } from './summary.ts';
import { defaultTarget, notMeasurable, type Target } from './targets.ts';
import { textOf } from './text.ts';
import { runTrial, type TrialSubject } from './trial.ts';

/** Exit codes of a process that a signal ended, as shells give them. */
const SIGNALS = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const;

class Interrupted extends Error {
  readonly exitCode: number;
  constructor(signal: keyof typeof SIGNALS) {
    super(`${signal} ended the measurement.`);
    this.exitCode = SIGNALS[signal];
  }
}

export async function runLive(options: LiveOptions): Promise<void> {
  const document = options.join ? joinFiles(options.join, options.trials) : await measureAll(options, systemClock);
  if (options.log) for (const line of logLinesOf(document)) print(line);
  else if (options.json) printJson(document);
  else for (const line of textOf(document)) print(line);
  if (document.problems.length > 0) process.exitCode = EXIT.failure;
}

function joinFiles(files: readonly string[], leastTrials: number): LiveDocument {
  const documents = files.map((file) => {
    const parsed = documentSchema.safeParse(parseJson(readText(file)));
    if (parsed.success) return parsed.data;
    const [issue] = parsed.error.issues;
    return fail(
      EXIT.failure,
      `${file} is not the JSON of keydesk doctor --live (${issue?.path.join('.')}: ${issue?.message}).`,
    );
  });
  try {
    return join(documents, leastTrials);
  } catch (error) {
    return fail(EXIT.failure, errorMessage(error));
  }
}

async function measureAll(options: LiveOptions, clock: Clock): Promise<LiveDocument> {
  const plan = plannedRun(options);
  if (typeof plan === 'string') return fail(EXIT.usage, plan);
  const subjects = toSubjects(plan.targets, options.policy);
  const requestJobToken = options.token ? givenJobToken(readFileSync(0, 'utf8')) : jobTokensOfAgent(plan.audience);
  const sendRequest = createHttpClient(clock);
  const grants = new CanaryGrants({ service: createService(plan.url, sendRequest), requestJobToken, clock, note });
  const interrupted = new AbortController();
  const handlers = Object.keys(SIGNALS).map((name) => {
    const signal = name as keyof typeof SIGNALS;
    const handle = () => interrupted.abort(new Interrupted(signal));
    process.on(signal, handle);
    return () => process.off(signal, handle);
  });
  const rejectionsInARow = options.rejections;
  const deps = { grants, sendRequest, clock, note, rejectionsInARow, boundMs: options.bound * 1000 };
  const startedAt = clock.now();
  const trials: Trial[] = [];
  try {
    for (const subject of subjects) {
      interrupted.signal.throwIfAborted();
      const trial = await runTrial({ ...deps, signal: interrupted.signal, withNames: options.withNames }, subject);
      const left = await grants.releaseAll();
      trials.push({ ...trial, released: left.length === 0 });
    }
  } catch (error) {
    return await endEarly(grants, error);
  } finally {
    for (const remove of handlers) remove();
  }
  const at = (time: number) => new Date(time).toISOString();
  const run = {
    started_at: at(startedAt),
    ended_at: at(clock.now()),
    place: options.place ?? null,
    keydesk_version: VERSION,
  };
  const method = {
    requests_per_second: 1000 / PAUSE_MS,
    rejections_in_a_row: rejectionsInARow,
    bound_s: options.bound,
    ended_by: 'release',
  } as const;
  return summarize({ method, runs: [run], trials });
}

/** Releases what is left, and ends the process. */
async function endEarly(grants: CanaryGrants, error: unknown): Promise<never> {
  const left = await grants.releaseAll();
  const ending =
    left.length === 0
      ? 'No canary grant is left.'
      : `Keydesk did not confirm the end of the canary grant of ${left.join(', ')}. The end of this job ends it.`;
  note(`${errorMessage(error)} ${ending}`);
  process.exit(error instanceof Interrupted ? error.exitCode : EXIT.failure);
}

/** Reads the policy only if a target is missing. */
function toSubjects(targets: ReadonlyMap<string, readonly Target[]>, policyFile: string): TrialSubject[] {
  const isComplete = [...targets.values()].every(({ length }) => length > 0);
  const credentials = isComplete ? {} : readPolicy(policyFile).policy.credentials;
  return [...targets].map(([credential, given], index) => {
    const label = `credential-${index + 1}`;
    if (given.length > 0) return { credential, label, targets: given };
    const written = credentials[credential];
    if (!written)
      return fail(EXIT.usage, `${policyFile} has no credential ${credential}. Check --credential and --policy.`);
    const reason = notMeasurable(written);
    if (reason !== undefined) return fail(EXIT.usage, `${credential} is not measured: ${reason}.`);
    const target = defaultTarget(credential, written);
    return 'problem' in target ? fail(EXIT.usage, target.problem) : { credential, label, targets: [target] };
  });
}
