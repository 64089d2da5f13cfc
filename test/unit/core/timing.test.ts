// The durations that must agree with each other do.

import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import * as timing from '../../../shared/core/timing.ts';

const MINUTE = 60_000;

it('the webhook responds before Buildkite stops waiting, with time to record the revocations', () => {
  expect(timing.END_BUDGET_MS).toBeLessThan(timing.WEBHOOK_TIMEOUT_MS);
  expect(timing.END_COMMIT_DEADLINE_MS + timing.RECORD_RESERVE_MS).toBeLessThanOrEqual(timing.END_BUDGET_MS);
});

it('a sweep begins nothing more after a minute, and ends within the time that the module gives it', () => {
  // Three steps on grants, then three on accounts; jobs are looked up at Buildkite in parallel.
  const begins = 3 * timing.SWEEP_STEP_MS + 3 * timing.ACCOUNT_STEP_MS;
  expect(begins).toBeLessThan(timing.SWEEP_EVERY_MS);
  expect(timing.POLL_BUDGET_MS + timing.COLD_DEADLINE_MS + timing.END_STEP_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
  const variables = readFileSync(new URL('../../../deploy/terraform/variables.tf', import.meta.url), 'utf8');
  const seconds = /variable "sweep_function"[\s\S]*?timeout += optional\(number, (\d+)\)/.exec(variables)?.[1];
  const ends = begins + timing.SWEEP_GRANT_MS + timing.ENABLE_WINDOW_MS + timing.RECORD_SWEEP_MS;
  expect(ends).toBeLessThan(Number(seconds) * 1000);
  // A sweep that has taken as long begins no call for teams.
  expect(timing.TEAMS_UNTIL_MS).toBeLessThan(ends);
});

it('no second sweep calls Buildkite while the calls of the first are on their way, and the next one may', () => {
  expect(timing.POLL_BUDGET_MS + timing.COLD_DEADLINE_MS).toBeLessThan(timing.POLL_LOCK_MS);
  expect(timing.POLL_LOCK_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
});

it('a sweep that looks builds up has made its calls before the next sweep looks jobs up', () => {
  expect(timing.LOOK_UNTIL_MS + timing.COLD_DEADLINE_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
  expect(timing.POLL_BUDGET_MS + timing.COLD_DEADLINE_MS).toBeLessThan(timing.LOOK_UNTIL_MS);
  expect(timing.BUILD_NEWS_DEADLINE_MS).toBeLessThan(timing.WEBHOOK_TIMEOUT_MS);
});

it('the calls for teams leave the next sweep time to reconcile, and no copy is deleted while a rule may use it', () => {
  expect(timing.TEAMS_UNTIL_MS + timing.COLD_DEADLINE_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
  expect(timing.TEAM_BUDGET_MS).toBeLessThanOrEqual(timing.TEAMS_UNTIL_MS);
  expect(timing.READ_TEAM_MARGIN_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
  // limits.teamsMaxAge is at most a day.
  expect(timing.TEAM_RETENTION_MS).toBeGreaterThan(24 * 60 * MINUTE);
  expect(timing.TEAM_NAMED_MS).toBeGreaterThanOrEqual(timing.READ_TEAM_EVERY_MS);
});

it('a job is checked by the fifth sweep, and one that is checked never counts as unchecked', () => {
  expect(timing.CHECK_EVERY_MS + timing.SWEEP_EVERY_MS).toBeLessThan(6 * MINUTE);
  expect(timing.FIRST_CHECK_MS + timing.SWEEP_EVERY_MS).toBeLessThanOrEqual(5 * MINUTE);
  expect(timing.CHECK_EVERY_MS).toBeGreaterThan(4 * timing.SWEEP_EVERY_MS);
  expect(timing.UNKNOWN_AGAIN_MS + timing.SWEEP_EVERY_MS).toBeLessThan(timing.UNCHECKED_MS);
});

it('an account is enabled within its claim, and not before a late request to disable it cannot come any more', () => {
  const late = timing.COLD_DEADLINE_MS + timing.LATE_REQUEST_MS;
  expect(timing.ENABLE_WINDOW_MS + late + timing.CLOCK_MARGIN_MS).toBeLessThan(timing.ENABLE_CLAIM_MS);
  expect(timing.COOLDOWN_MARGIN_MS).toBeGreaterThanOrEqual(timing.CLOCK_MARGIN_MS);
  // A sweep may have read it just before another function recorded that the account is disabled.
  for (const begun of [timing.SWEEP_STEP_MS, timing.SWEEP_GRANT_MS, timing.END_BUDGET_MS])
    expect(timing.SHORTEST_COOLDOWN_MS).toBeGreaterThanOrEqual(timing.CLOCK_MARGIN_MS + begun + late);
  // Another sweep may disable again what it found enabled in its cooldown.
  expect(timing.DISABLE_CLAIM_MS).toBeGreaterThanOrEqual(timing.CLOCK_MARGIN_MS + timing.DISABLE_WINDOW_MS + late);
  expect(timing.RECHECK_EVERY_MS).toBeLessThan(timing.SWEEP_EVERY_MS);
});

it('a mint that keeps every deadline is not late', () => {
  expect(timing.MINT_MARGIN_MS).toBeGreaterThanOrEqual(
    timing.LEDGER_DEADLINE_MS + timing.IDENTITY_DEADLINE_MS + timing.COLD_DEADLINE_MS,
  );
});

it('grants are counted again before a pipeline at its limit may request again', () => {
  expect(timing.GRANT_COUNT_CACHE_MS).toBeLessThan(timing.LIMIT_RETRY_AFTER * 1000);
});
