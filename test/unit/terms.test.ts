// Names that Keydesk no longer uses stay out of code, configuration and documentation.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const RETIRED: readonly string[] = [
  // Policy
  ...['issuesPerMinute', 'jobTokenLifetime'],
  // Stored and logged fields, and their values
  ...[
    'minute_at',
    'minute_count',
    'reserved_at',
    'issued_count',
    'dead_at',
    'rests_until',
    'waking_at',
    'unchecked_since_at',
  ],
  ...[
    'thrown_at',
    'lifted_at',
    'lifted_by',
    'early_return',
    'found_finished',
    'took_ms',
    'dead_after_s',
    'dead_after_job_end_s',
  ],
  ...[
    'oldest_unfinished_s',
    'other_pipeline',
    'asked_buildkite',
    'ended_by_clock',
    'accounts_disabled_again',
    'unfinished_because',
  ],
  // Events and reasons
  ...['grant.renewal_ended', 'grant.returned', 'job.found_finished', 'account.disabled_again', 'account.not_disabled'],
  ...['account.given_up', 'kill_switch.thrown', 'kill_switch.lifted', 'pool.counted', 'work.failed', 'start.failed'],
  ...[
    'too_often',
    'pipeline_holds_too_many',
    'too_many_live_tokens',
    'no_rule_grants',
    'plain_token_mode',
    'event_malformed',
  ],
  // Metrics, roles and functions of the rules
  ...['hand_outs', 'time_to_dead', 'heard_to_dead', 'late_ends', 'accounts_found_enabled', 'keydeskHolds'],
  ...['keydesk_waker', 'keydesk_opener', 'keydesk_closer', 'keydesk_minter'],
  // Code
  ...[
    'handOut',
    'giveBack',
    'takeAway',
    'throwKillSwitch',
    'endMissed',
    'obtainFromLease',
    'askAsService',
    'inProcessDesk',
  ],
];
const PATTERN = new RegExp(`(?<![\\w.])(${RETIRED.map((name) => name.replace('.', '\\.')).join('|')})(?!\\w)`, 'g');

const TOUCHED = /^test\/unit\/terms\.test\.ts$|package-lock\.json$|^docs\/adr\//;

function retiredIn(text: string): string[] {
  return [...text.matchAll(PATTERN)].map(([name]) => name);
}

it('no file uses a retired name', () => {
  const tracked = execFileSync('git', ['ls-files', '-z'], { encoding: 'utf8' }).split('\0');
  const found = tracked
    .filter((path) => path && !TOUCHED.test(path) && existsSync(path))
    .flatMap((path) => retiredIn(readFileSync(path, 'utf8')).map((name) => `${path}: ${name}`));
  expect(found).toEqual([]);
});

it.each(['{ dead_at }', '`too_often`', "event: 'work.failed'", 'handOut(request)'])('finds one in %s', (text) => {
  expect(retiredIn(text)).toHaveLength(1);
});

it.each(['maxJobTokenLifetime', 'handOutput', 'network.failed'])('leaves %s alone', (text) => {
  expect(retiredIn(text)).toEqual([]);
});
