// Finds the audit lines of a request, and prints why it was refused.

import { existsSync } from 'node:fs';
import { EVENTS } from '../shared/audit/events.ts';
import { parseClaims } from '../shared/core/policy/claims.ts';
import { conditionsOfRules } from '../shared/core/policy/explain.ts';
import type { ReadPolicy } from '../shared/core/policy/parse-yaml.ts';
import { visible } from '../shared/core/policy/visible-text.ts';
import { type AuditLine, parseJsonObjects, toAuditLine } from '../shared/core/policy-analysis/audit-line.ts';
import { explainedAsJson, explainJob, type JobExplanation } from '../shared/core/policy-analysis/explain-job.ts';
import { explanationLines } from '../shared/core/policy-analysis/explanation-lines.ts';
import { reasonLines } from '../shared/core/policy-analysis/reason-lines.ts';
import {
  explainFromLine,
  explainReason,
  isByConditions,
  isByRules,
  outcomeOf,
  type RequestOutcome,
  valuesIn,
} from '../shared/core/policy-analysis/refused-request.ts';
import { systemClock } from '../shared/runtime/clock.ts';
import { CouldNotLook, createGoogle } from './checks/google.ts';
import { policyDiffers } from './explain-stated-job.ts';
import { readInput } from './input.ts';
import { readRequestEntries } from './log-entries.ts';
import { createOperatorClient } from './operator-client.ts';
import { readPolicy } from './policy-file.ts';
import { EXIT, fail, print, printJson, warn } from './terminal.ts';

interface Request {
  /** Undefined where the file has one request only. */
  readonly requestId: string | undefined;
  /** A file with entries; undefined for Cloud Logging. */
  readonly log: string | undefined;
  readonly project: string | undefined;
  readonly view: string | undefined;
  readonly quotaProject: string | undefined;
  readonly policyFile: string;
  /** Whether it is an error when the policy file does not exist. */
  readonly policyDemanded: boolean;
  readonly json: boolean;
}

export async function explainRequest(request: Request): Promise<void> {
  const { policyFile, policyDemanded, json } = request;
  const lines =
    request.log === undefined ? await linesInCloudLogging(request) : linesIn(request.log, request.requestId);
  const outcome = outcomeOf(lines);
  const requestId = lines[0]?.request_id ?? '';
  if (outcome.outcome !== 'refused') return reportOther(requestId, outcome, json);
  const read = policyDemanded || existsSync(policyFile) ? readPolicy(policyFile) : undefined;
  explainRefusal(requestId, outcome.line, { read, file: policyFile, json });
}

async function linesInCloudLogging({ requestId = '', project, view, quotaProject }: Request): Promise<AuditLine[]> {
  const where = view ?? project;
  const payer = quotaProject ?? project;
  if (where === undefined || payer === undefined)
    return fail(EXIT.usage, "Name Keydesk's project with --project, or give the entries with --log.");
  // For tests: a server that has each of Google's APIs under a folder of its host.
  const base = process.env.KEYDESK_GOOGLE_APIS_URL;
  const google = createGoogle(createOperatorClient(systemClock).send, { quotaProject: payer, base });
  try {
    const entries = await readRequestEntries(google, where, requestId);
    const lines = entries.flatMap((entry) => toAuditLine(entry) ?? []);
    return lines.length > 0 ? lines : fail(EXIT.failure, notFound(requestId, where));
  } catch (error) {
    if (error instanceof CouldNotLook) fail(EXIT.failure, `${error.message}.\n${error.fix}`);
    throw error;
  }
}

function notFound(requestId: string, where: string): string {
  return `${where} has no audit line of the request ${requestId}. One of these is the cause:
  - The ID is of another deployment. Name the project of the Keydesk that refused the request with --project.
  - The request was a few seconds ago. Run the command again.
  - The line is older than the retention of the log, which is 30 days by default. An archive has a log view for --view.
  - The response came from a proxy, and the request did not reach Keydesk.`;
}

function linesIn(file: string, requestId: string | undefined): AuditLine[] {
  const objects = parseJsonObjects(readInput(file));
  const name = file === '-' ? 'standard input' : file;
  if (objects === undefined) return fail(EXIT.failure, `${name}: It has no JSON.`);
  const lines = objects.flatMap((object) => toAuditLine(object) ?? []);
  const ids = [...new Set(lines.flatMap((line) => line.request_id ?? []))];
  if (ids.length === 0) return fail(EXIT.failure, `${name}: It has no audit line of a request.`);
  if (requestId === undefined && ids.length > 1)
    return fail(EXIT.usage, `${name}: It has lines of ${ids.length} requests. Give the ID of one.`);
  const [wanted = ''] = requestId === undefined ? ids : [requestId];
  const found = lines.filter((line) => line.request_id === wanted);
  return found.length > 0 ? found : fail(EXIT.failure, `${name}: It has no audit line of the request ${wanted}.`);
}

function reportOther(requestId: string, outcome: Exclude<RequestOutcome, { outcome: 'refused' }>, json: boolean): void {
  const lines = outcome.outcome === 'other' ? outcome.lines : [outcome.line];
  const events = [...new Set(lines.map(({ event }) => event))];
  if (json)
    printJson({
      ...{ request_id: requestId, outcome: outcome.outcome, events },
      facts: lines.map((line) => ({ event: line.event, ...Object.fromEntries(valuesIn(line)) })),
    });
  else if (outcome.outcome === 'granted') {
    const { credential = '', rule, expires_at } = outcome.line;
    print(
      `The request ${requestId} was granted: ${visible(credential)}, by rule ${JSON.stringify(rule ?? '')}, until ${visible(String(expires_at))}.`,
    );
    print('If Google then refused a request with the credential, see docs/TROUBLESHOOTING.md, What clients say.');
  } else {
    print(
      outcome.outcome === 'failed'
        ? `The request ${requestId} was not refused. It failed:`
        : `The request ${requestId} was not a refused request for a credential. Its events:`,
    );
    for (const line of lines) {
      print(`  ${visible(line.event)}: ${meaningOf(line.event)}`);
      for (const [name, value] of valuesIn(line)) print(`    ${visible(name)}: ${visible(value)}`);
    }
  }
}

function meaningOf(event: string): string {
  return Object.hasOwn(EVENTS, event)
    ? EVENTS[event as keyof typeof EVENTS].means
    : 'This version of keydesk does not know the event.';
}

function explainRefusal(
  requestId: string,
  line: AuditLine,
  { read, file, json }: { readonly read: ReadPolicy | undefined; readonly file: string; readonly json: boolean },
): void {
  const explained = explainReason(line);
  const byRules = explainByRules(line, read);
  const differs = read !== undefined && line.policy_sha256 !== undefined && line.policy_sha256 !== read.sha256;
  if (json) {
    printJson({
      request_id: requestId,
      outcome: 'refused',
      reason: explained.reason,
      ...(line.credential !== undefined && { credential: line.credential }),
      sides: explained.sides,
      when: explained.when,
      what_to_do: explained.whatToDo,
      facts: Object.fromEntries(explained.facts),
      policy_sha256: read?.sha256 ?? null,
      event_policy_sha256: line.policy_sha256 ?? null,
      decision: byRules ? explainedAsJson(byRules) : null,
    });
    return;
  }
  if (differs) warn(policyDiffers(file));
  const byConditions = isByConditions(line);
  for (const one of reasonLines(requestId, line, { ...explained, byRules: byRules !== undefined && !byConditions }))
    print(one);
  if (!byRules || byConditions) return;
  if (byRules.outcome === 'conditional') {
    print(`By ${file}, the claims of the job match, and these conditions decide:`);
    for (const one of conditionsOfRules(byRules.decision.rules)) print(visible(one).trimEnd());
    return;
  }
  const pipelines = read?.policy.pipelines ?? {};
  for (const one of explanationLines(byRules, { pipelines, contact: read?.policy.contact, file })) print(one);
  if (byRules.outcome === 'granted') print(`By ${file} as it is now, the job gets the credential.`);
  if (!read) print('To see what the policy could change, give the policy with --policy.');
}

/** By the policy where there is one, or else by the trace in the line. Which conditions held, only the trace says. */
function explainByRules(line: AuditLine, read: ReadPolicy | undefined): JobExplanation | undefined {
  const { reason, credential, job } = line;
  if (!isByRules(reason) || credential === undefined) return undefined;
  if (isByConditions(line)) return explainFromLine(line);
  const parsed = parseClaims(job);
  return read && 'claims' in parsed ? explainJob(read, parsed.claims, credential) : explainFromLine(line);
}
