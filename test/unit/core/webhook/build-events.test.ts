// What events about builds mean, as the scan keeps them.

import { describe, expect, it } from 'vitest';
import { parseWebhookEvent } from '../../../../shared/core/webhook/event.ts';
import { WebhookScan } from '../../../../shared/core/webhook/scan.ts';

const PIPELINE = '0184990a-4782-42b5-afc1-16715b10b1f0';
const BUILD = '0184990a-4782-42b5-afc1-16715b10b2f0';
const STEP = '0184990a-477b-4fa8-9968-496074483ce0';
const BLOCK = '0184990a-477b-4fa8-9968-496074483cee';
const ANNE = '0184990a-477b-4fa8-9968-496074483ca1';
const BERT = '0184990a-477b-4fa8-9968-496074483cb2';
const AT = '2026-11-24T10:00:00.000Z';

const JOB = {
  ...{ id: BLOCK, type: 'manual', label: 'Approve', step_key: 'approve-production', step: { id: STEP } },
  ...{ state: 'unblocked', unblocked_by: { id: BERT, name: 'Bert' }, unblocked_at: AT },
};
const BUILD_JSON = {
  ...{ id: BUILD, number: 42, source: 'ui', creator: { id: ANNE, name: 'Anne' } },
  meta_data: { 'break-glass-reason': 'The shop is down' },
};
const UNBLOCK = {
  ...{ job_id: BLOCK, step_key: 'approve-production', step_id: STEP },
  ...{ unblocked_by: BERT, unblocked_at: Date.parse(AT) },
};
const NEWS = {
  ...{ pipeline_id: PIPELINE, build_number: 42, build_id: BUILD, creator: ANNE, reason: 'The shop is down' },
  unblocks: [UNBLOCK],
};

type Change = { readonly job?: unknown; readonly build?: unknown; readonly pipeline?: unknown };

function parse(event: string, { job = JOB, build = BUILD_JSON, pipeline = { id: PIPELINE } }: Change = {}) {
  const scan = new WebhookScan();
  scan.update(Buffer.from(JSON.stringify({ event, job, build, pipeline, sender: { id: ANNE, name: 'Anne' } })));
  return parseWebhookEvent(scan.finish());
}
const activated = (change?: Change) => parse('job.activated', change);

describe('job.activated', () => {
  it('says who unblocked which step, and who started the build', () => {
    expect(activated()).toEqual({ kind: 'build_news', event: 'job.activated', build_source: 'ui', news: NEWS });
  });

  it.each<[string, object, object]>([
    ['in capitals', { id: BLOCK.toUpperCase() }, {}],
    ['without its step', { step: undefined }, { step_id: null }],
    ['with a step that is null', { step: null }, { step_id: null }],
    ['with a step whose id is no UUID', { step: { id: '7' } }, { step_id: null }],
    ['by nobody whom Buildkite names', { unblocked_by: null }, { unblocked_by: null }],
    ['in a later state', { state: 'finished' }, {}],
    ['at a time as in older samples', { unblocked_at: '2026-11-24 10:00:00 UTC' }, {}],
    ['of a key of 256 characters', { step_key: 'k'.repeat(256) }, { step_key: 'k'.repeat(256) }],
  ])('is taken %s', (_, job, unblock) => {
    expect(activated({ job: { ...JOB, ...job } })).toMatchObject({ news: { unblocks: [{ ...UNBLOCK, ...unblock }] } });
  });

  it.each<[string, Change]>([
    ['a job that runs on an agent', { job: { ...JOB, type: 'script' } }],
    ['a job without a type', { job: { ...JOB, type: undefined } }],
    ['a trigger', { job: { ...JOB, type: 'trigger' } }],
    ['no job', { job: null }],
    ['a job without an id', { job: { ...JOB, id: undefined } }],
    ['a job whose id is a path', { job: { ...JOB, id: '../grants/x' } }],
    ['a step without a key', { job: { ...JOB, step_key: null } }],
    ['a step with an empty key', { job: { ...JOB, step_key: '' } }],
    ['a step whose key no policy can name', { job: { ...JOB, step_key: 'k'.repeat(257) } }],
    ['a step whose key Firestore cannot store', { job: { ...JOB, step_key: 'k\ud800' } }],
    ['nobody at all', { job: { ...JOB, unblocked_by: undefined } }],
    ['a person without an id', { job: { ...JOB, unblocked_by: { name: 'Bert' } } }],
    ['a person whose id is a name', { job: { ...JOB, unblocked_by: { id: 'bert' } } }],
    ['no time', { job: { ...JOB, unblocked_at: null } }],
    ['a time in words', { job: { ...JOB, unblocked_at: 'yesterday' } }],
    ['a time that Firestore cannot store', { job: { ...JOB, unblocked_at: '+012026-11-24T10:00:00Z' } }],
    ['a time before 1970', { job: { ...JOB, unblocked_at: '1969-11-24T10:00:00Z' } }],
    ['no build', { build: null }],
    ['a build without a number', { build: { ...BUILD_JSON, number: undefined } }],
    ['a build whose number is a text', { build: { ...BUILD_JSON, number: '42' } }],
    ['a build whose number is 0', { build: { ...BUILD_JSON, number: 0 } }],
    ['a build whose number is a fraction', { build: { ...BUILD_JSON, number: 4.2 } }],
    ['no pipeline', { pipeline: null }],
    ['a pipeline by its slug', { pipeline: { slug: 'app' } }],
    ['a pipeline whose id is no UUID', { pipeline: { id: 'app_42' } }],
  ])('is ignored, and not refused, when it names %s', (_, change) => {
    expect(activated(change)).toEqual({ kind: 'ignored', event: 'job.activated' });
  });

  it.each<[string, object, object]>([
    ['no creator', { creator: undefined }, { creator: undefined }],
    ['a creator that is null', { creator: null }, { creator: null }],
    ['a creator without a UUID', { creator: { id: 'anne' } }, { creator: undefined }],
    ['a build id that is no UUID', { id: '42' }, { build_id: undefined }],
    ['no metadata', { meta_data: undefined }, { reason: undefined }],
    ['metadata without a reason', { meta_data: { 'break-glass-reasons': 'x' } }, { reason: undefined }],
    ['a reason that is empty', { meta_data: { 'break-glass-reason': ' \n' } }, { reason: undefined }],
    ['a reason that is no text', { meta_data: { 'break-glass-reason': ['x'] } }, { reason: undefined }],
    ['a reason of half a surrogate pair', { meta_data: { 'break-glass-reason': 'a\ud83d' } }, { reason: 'a\ufffd' }],
  ])('is taken with %s', (_, build, news) => {
    expect(activated({ build: { ...BUILD_JSON, ...build } })).toMatchObject({ news: { ...NEWS, ...news } });
  });
});

describe('build.scheduled', () => {
  it('says who started the build, and why, whatever job it has', () => {
    expect(parse('build.scheduled')).toEqual({
      ...{ kind: 'build_news', event: 'build.scheduled', build_source: 'ui' },
      news: { ...NEWS, unblocks: [] },
    });
    expect(parse('build.scheduled', { job: null })).toMatchObject({ news: { unblocks: [] } });
  });

  it('is ignored when it names no build or no pipeline', () => {
    for (const change of [{ build: null }, { build: { number: '1' } }, { pipeline: {} }])
      expect(parse('build.scheduled', change)).toEqual({ kind: 'ignored', event: 'build.scheduled' });
  });
});

it.each(['build.running', 'build.finished', 'job.scheduled', 'job.started', 'Job.Activated', 'job.activated '])(
  '%j says nothing that is used',
  (event) => {
    expect(parse(event)).toEqual({ kind: 'ignored', event });
  },
);

it('a finished block step ends no job, and says nothing of its build', () => {
  expect(parse('job.finished')).toEqual({ kind: 'ignored', event: 'job.finished' });
});
