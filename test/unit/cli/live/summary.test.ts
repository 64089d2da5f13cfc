// What the published document says: distributions for each target, problems, nothing that names anything, and one screen of text.

import { describe, expect, it } from 'vitest';
import { documentSchema, type LiveDocument } from '../../../../cli/live/document.ts';
import { logLinesOf } from '../../../../cli/live/log-lines.ts';
import { join } from '../../../../cli/live/summary.ts';
import { textOf } from '../../../../cli/live/text.ts';
import { METHOD, measured, runOf, trialOf } from '../../../fixtures/live-documents.ts';

const codes = ({ problems }: LiveDocument) => problems.map(({ code }) => code);
const pooled = (last_accepted_s: number, more = {}) =>
  trialOf({
    credential: 'credential-2',
    revocation: 'propagating',
    targets: [measured({ api: 'storage', last_accepted_s, ...more }), measured({ api: 'other' })],
  });
const ten = Array.from({ length: 10 }, (_, at) => runOf([trialOf(), pooled(at)], at));

describe('a run', () => {
  it('has no problem when its token ended, and needs no more than one trial', () => {
    expect(codes(runOf([trialOf()]))).toEqual([]);
  });

  it.each([
    ['still_accepted', trialOf({ targets: [measured({ outcome: 'still_accepted', watched_s: 300 })] })],
    ['undecided', trialOf({ targets: [measured({ outcome: 'undecided' })] })],
    ['not_measured', trialOf({ not_measured: 'open_without_token', targets: [] })],
    ['grant_left', trialOf({ released: false })],
  ])('has the problem %s', (code, trial) => {
    expect(codes(runOf([trial]))).toEqual([code]);
  });
});

describe('several runs', () => {
  it('are joined to a distribution for each target, of the trials in which the token ended', () => {
    const document = join([...ten, runOf([pooled(300, { outcome: 'still_accepted', flips: 2 })], 10)], 10);
    expect(document.results).toMatchObject([
      { api: 'firestore', trials: 10, ended: 10, observed_revocation_latency_s: { count: 10, min: 0.2, max: 0.2 } },
      {
        ...{ credential: 'credential-2', api: 'storage', revocation: 'propagating' },
        ...{ trials: 11, ended: 10, still_accepted: 1, flips: 2 },
        observed_revocation_latency_s: { count: 10, min: 0, median: 4, p95: 9, max: 9 },
      },
      { api: 'other', trials: 11 },
    ]);
    expect(codes(document)).toEqual(['still_accepted']);
    expect(document.trials.map(({ run }) => run)).toEqual([...Array(10).keys()].flatMap((n) => [n, n]).concat(10));
    expect(documentSchema.parse(JSON.parse(JSON.stringify(document)))).toEqual(document);
  });

  it('have too few trials where ten are needed', () => {
    expect(codes(join(ten, 10))).toEqual([]);
    expect(codes(join(ten.slice(1), 10))).toEqual(Array(3).fill('too_few_trials'));
  });

  it('are not joined when one of them is there twice, also in a document that is joined already', () => {
    expect(() => join([...ten, ...ten.slice(0, 1)], 10)).toThrow('2026-11-30T01:00:00.000Z');
    expect(() => join([join(ten, 10), ...ten.slice(3, 4)], 10)).toThrow('twice');
    // Two jobs may begin at one time.
    const [one, another] = [runOf([trialOf()]), runOf([trialOf({ targets: [measured({ last_accepted_s: 9 })] })])];
    expect(join([one, another], 2).results).toMatchObject([{ trials: 2 }]);
  });

  it('of credentials that end in different ways are not one distribution, although they have one label', () => {
    const propagating = trialOf({ revocation: 'propagating', targets: [measured({ last_accepted_s: 90 })] });
    const { results } = join([runOf([trialOf()]), runOf([propagating], 1)], 1);
    expect(results.map(({ revocation, trials }) => [revocation, trials])).toEqual([
      ['immediate', 1],
      ['propagating', 1],
    ]);
  });

  it('are not joined when they were measured by different methods', () => {
    const other = runOf([trialOf()], 1, { ...METHOD, rejections_in_a_row: 5 });
    expect(() => join([runOf([trialOf()]), other], 1)).toThrow('different methods');
  });
});

it('is one screen, and says what was measured, from where, when, and by how many requests', () => {
  const lines = textOf(join(ten, 10));
  expect(lines.length).toBeLessThanOrEqual(24);
  const text = lines.join('\n');
  expect(text).toMatch(
    /^credential-2 {2}storage +propagating {2}10 of 10 {2}0\.00 {2}4\.00 {4}9\.00 {2}9\.00 {2}0 +0$/m,
  );
  expect(text).toContain('from 2026-11-30T01:00:00.000Z to 2026-11-30T01:10:00.000Z, in 10 runs, from europe-west1.');
  expect(text).toContain('90 requests accepted, 600 rejected, 0 neither');
});

it('is one screen with many problems, and says how many it leaves out', () => {
  const trials = Array.from({ length: 30 }, () => pooled(300, { outcome: 'still_accepted' }));
  const lines = textOf(runOf(trials));
  expect(lines.length).toBeLessThanOrEqual(24);
  expect(lines.join('\n')).toContain('storage still accepted the token 4.4 s after the response to its release');
  expect(lines.join('\n')).toContain('and 25 more problems');
});

it('has a log line for each measurement, without names', () => {
  const names = { url: 'https://firestore.googleapis.com/v1/projects/acme/databases/d/documents/a/b' };
  const named = trialOf({ credential: 'canary', environment: 'monitoring', grant_id: 'g', targets: [measured(names)] });
  const lines = logLinesOf(runOf([named, pooled(7.5, { outcome: 'still_accepted' })]));
  expect(lines).toHaveLength(3);
  expect(lines.join('\n')).not.toMatch(/canary|monitoring|acme|"g"/);
  expect(JSON.parse(lines[1] ?? '')).toMatchObject({
    severity: 'ERROR',
    event: 'observed_revocation_latency',
    api: 'storage',
    outcome: 'still_accepted',
    observed_revocation_latency_s: 7.5,
  });
});
