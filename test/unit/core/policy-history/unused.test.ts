// What no request of a log used, and what a log proves.

import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { toJobRequest } from '../../../../shared/core/policy-history/job-request.ts';
import { toLogEntry } from '../../../../shared/core/policy-history/log-entry.ts';
import { Coverage } from '../../../../shared/core/policy-history/period.ts';
import { describePart, judgeParts } from '../../../../shared/core/policy-history/unused.ts';
import { Usage } from '../../../../shared/core/policy-history/usage.ts';
import { createHistory, type ExportedEntry } from '../../../fixtures/audit-history.ts';

const EXAMPLE = readFileSync(new URL('../../../../examples/policy.yaml', import.meta.url), 'utf8');
const WEB = { pipeline_slug: 'web', pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0', build_source: 'webhook' };
const SINCE = Date.parse('2026-11-01T00:00:00Z');
const history = createHistory(EXAMPLE);

describe('what a request uses', () => {
  let entries: ExportedEntry[];
  beforeAll(async () => {
    entries = await history.entriesOf([
      { at: '2026-10-20T08:00:00Z', credential: 'staging-export', claims: WEB },
      { at: '2026-11-02T08:00:00Z', credential: 'staging-config', claims: WEB },
      { at: '2026-11-03T08:00:00Z', credential: 'staging-admin', claims: { ...WEB, build_branch: 'release/1' } },
      { at: '2026-11-04T08:00:00Z', credential: 'production-config', claims: WEB },
    ]);
  });
  const statuses = (policy = history.policy, change = (entry: ExportedEntry): object => entry) => {
    const usage = new Usage(policy, SINCE);
    for (const entry of entries) {
      const request = toJobRequest(toLogEntry(change(entry)) ?? { at: undefined });
      if (typeof request === 'object' && 'claims' in request) usage.add(request);
    }
    const judged = judgeParts(usage.parts(), []);
    return (status: string) =>
      judged.filter((one) => one.status === status).map(({ part }) => describePart(part, policy.pipelines));
  };

  it('is a pipeline by its name in the policy', () => {
    const part = { kind: 'pattern', rule: 'a', claim: 'pipeline_id', pattern: WEB.pipeline_id } as const;
    expect(describePart(part, { web: WEB.pipeline_id })).toBe('rule "a", pipeline: web');
    expect(describePart(part, {})).toBe(`rule "a", pipeline_id: ${WEB.pipeline_id}`);
  });

  it('is its rule, what that grants, the patterns that match, its credential and its pipeline', () => {
    const of = statuses();
    expect(of('unused')).toEqual([
      'rule "deploy to staging", build_source: ui',
      'rule "try a tagged release on staging"',
      'rule "deploy a tagged release to production"',
      'credential production-config',
      'credential staging-export',
      'credential staging-cache',
      'pipeline web-release',
    ]);
    expect(of('cannot_tell')).toEqual([]);
  });

  it('is also the rule that granted it, although another one would now', () => {
    const rules = history.policy.rules.map((rule) => ({ ...rule, grants: [...rule.grants] }));
    const first = { name: 'first', match: { pipeline_slug: ['web'] }, conditions: {}, grants: ['staging-config'] };
    const of = statuses({ ...history.policy, rules: [first, ...rules] });
    expect(of('used')).toEqual(
      expect.arrayContaining(['rule "first"', 'rule "deploy to staging", grants: staging-config']),
    );
  });

  it('is unknown where the event lacks a claim', () => {
    const of = statuses(history.policy, (entry) => {
      const { job: _, rule: __, ...payload } = entry.jsonPayload as Record<string, unknown>;
      return { ...entry, jsonPayload: { ...payload, rule: 'a former rule' } };
    });
    expect(of('cannot_tell')).toEqual(expect.arrayContaining(['rule "deploy to staging"', 'pipeline web']));
    expect(of('unused')).not.toContain('rule "deploy to staging"');
  });
});

describe('a log proves that something is unused', () => {
  const DAY = 86_400_000;
  const END = SINCE + 28 * DAY;
  const report = (days: readonly number[], { otherPolicy, until = END, unread = 0, allowed = 1 }: Log = {}) => {
    const coverage = new Coverage();
    for (const day of days) coverage.add(SINCE + day * DAY);
    if (otherPolicy !== undefined) coverage.addOtherPolicy(SINCE + otherPolicy * DAY);
    coverage.addUnread(unread);
    return coverage.report({ since: SINCE, until }, allowed).gaps.map(({ gap }) => gap);
  };
  interface Log {
    readonly otherPolicy?: number;
    readonly until?: number;
    readonly unread?: number;
    readonly allowed?: number;
  }
  const month = [0, 4, 8, 12, 16, 20, 24, 28];

  it.each([
    ['with entries over all of the period', month, {}, []],
    ['also when its entries are in another order, and begin earlier', [...month, -5].reverse(), {}, []],
    ['unless it begins late', month.slice(1), {}, ['begins_late']],
    ['unless it begins late for a short period', [0.02, 0.1, 0.2], { until: SINCE + DAY / 4 }, ['begins_late']],
    ['unless it ends early', month.slice(0, -2), {}, ['ends_early']],
    ['unless it ended early long ago', month, { until: SINCE + 90 * DAY }, ['ends_early']],
    ['unless an entry could not be read', month, { unread: 1 }, ['unread_entries']],
    ['unless it has no allowed request', month, { allowed: 0 }, ['no_requests']],
    ['unless it has a gap', month.filter((day) => day !== 8), {}, ['no_entries']],
    ['also when the gap is before the period', [-30, ...month], {}, []],
    ['unless it has no times', [], {}, ['no_times']],
    ['unless another policy decided', month, { otherPolicy: 3 }, ['other_policy']],
    ['also when that was before the period', month, { otherPolicy: -1 }, []],
    ['and in a short period a short gap counts', [0, 0.2, 1.5, 2], { until: SINCE + 2 * DAY }, ['no_entries']],
  ])('%s', (_, days, log, gaps) => {
    expect(report(days, log)).toEqual(gaps);
  });
});
