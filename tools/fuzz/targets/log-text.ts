import { grantFields } from '../../../shared/audit/result-events.ts';
import { lostGrantSchema } from '../../../shared/core/operator-api/lost-grant.ts';
import { toGrantTouches } from '../../../shared/core/policy-history/document-touches.ts';
import { toJobRequest } from '../../../shared/core/policy-history/job-request.ts';
import { createSplitter } from '../../../shared/core/policy-history/json-texts.ts';
import { toLogEntry } from '../../../shared/core/policy-history/log-entry.ts';
import { LostLines } from '../../../shared/core/restore/log-lines.ts';
import { GrantLines } from '../../../shared/core/review/log-lines.ts';
import { grantIn } from '../../../test/fixtures/grants.ts';
import { parseJson } from '../independent/json.ts';
import { demand, demandEqual, type Target } from '../target.ts';

/** UTF-16 code units. */
const LONGEST_ENTRY = 2_000;
const ID = '0184990a-477b-4fa8-9968-496074483cee';
const AT = '2026-11-24T10:00:00.000Z';
const issued = {
  ...{ event: 'grant.issued', request_id: 'r', ...grantFields(grantIn('active', 'firestore')) },
  ...{ token_sha256: 'a'.repeat(64), token_expires_at: AT, job: { pipeline_slug: 'app', build_branch: 'main' } },
};
const touched = {
  logName: 'projects/acme/logs/cloudaudit.googleapis.com%2Fdata_access',
  timestamp: AT,
  protoPayload: {
    methodName: 'google.firestore.v1.Firestore.GetDocument',
    resourceName: 'projects/acme-staging/databases/(default)/documents/config/app',
    authenticationInfo: { thirdPartyPrincipal: { payload: { keydesk_grant: 'a'.repeat(32) } } },
    request: { name: 'projects/acme-staging/databases/(default)/documents/config/app' },
  },
};
const act = {
  event: 'kill_switch.activated',
  kill_switch_id: ID,
  selector: { environment: 'a' },
  actor: 'a',
  reason: 'r',
  blocks_new: true,
};
const lines = (...entries: readonly object[]) => entries.map((entry) => `${JSON.stringify(entry)}\n`).join('');

export const target: Target = {
  claim:
    'A log in pieces of the given size: the entries are the same wherever it is cut, those of a JSON array are what JSON.parse reads, and what a review, a replay or a restore takes from them is well-formed.',
  files: [
    'shared/core/policy-history/json-texts.ts',
    'shared/core/policy-history/log-entry.ts',
    'shared/core/policy-history/job-request.ts',
    'shared/core/policy-history/document-touches.ts',
    'shared/core/restore/log-lines.ts',
    'shared/core/review/log-lines.ts',
  ],
  longest: 16_384,
  seeds: [
    `3\n${lines(issued, { timestamp: AT, jsonPayload: { ...issued, event: 'grant.revoked' } })}`,
    `7\n[${JSON.stringify(act)},\n ${JSON.stringify({ event: 'kill_switch.deactivated', kill_switch_id: ID })}]`,
    `9\n${JSON.stringify(touched, null, 2)}\n`,
    `1\n\ufeff${lines({ event: 'grant.refused', reason: 'job_ended', credential: 'c', job: { pipeline_slug: 'a' } })}`,
    '2\n{"event":"grant.issued"}\nnot json\n{"a":"\\u00e9\\\\"}',
  ],
  run: (input) => {
    const [size = '', ...rest] = input.toString('utf8').split('\n');
    const text = rest.join('\n');
    const whole = split(text, text.length || 1);
    demandEqual(split(text, Math.max(1, Number(size.slice(0, 4)) || 1)), whole, 'the entries of a log in pieces');
    const values = whole.map((one) => (one.text === undefined ? undefined : parseJson(one.text)));
    const list = text.trimStart().startsWith('[') ? parseJson(text) : undefined;
    if (
      text.length <= LONGEST_ENTRY &&
      Array.isArray(list) &&
      list.every((one) => typeof one === 'object' && one !== null && !Array.isArray(one))
    )
      demandEqual(values, list, 'the entries of an array');
    demandTaken(values);
  },
};

function split(text: string, size: number) {
  const splitter = createSplitter(LONGEST_ENTRY);
  const found = [];
  for (let at = 0; at < text.length; at += size) found.push(...splitter.push(text.slice(at, at + size)));
  return [...found, ...splitter.end()];
}

function demandTaken(values: readonly unknown[]): void {
  const [lost, grants] = [new LostLines(), new GrantLines()];
  for (const value of values) {
    const entry = toLogEntry(value);
    if (!entry) continue;
    demand(entry.at === undefined || Number.isFinite(entry.at), 'an entry has a time or none');
    lost.add(entry);
    grants.add(entry);
    toJobRequest(entry);
    toGrantTouches(entry);
  }
  for (const grant of lost.grants) demand(lostGrantSchema.safeParse(grant).success, 'a lost grant can be sent');
  demand(
    lost.blocks.every(({ kill_switch_id }) => !lost.removedBlocks.has(kill_switch_id)),
    'a block was not removed',
  );
  for (const { at, accepted_until } of [...grants.byGrant.values()].flat())
    demand(
      [at, accepted_until].every((time) => time === undefined || Number.isFinite(time)),
      'a line has times or none',
    );
}
