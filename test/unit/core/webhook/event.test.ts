// What a verified webhook means: https://buildkite.com/docs/apis/webhooks/pipelines/job-events.

import { describe, expect, it } from 'vitest';
import { parseWebhookEvent } from '../../../../shared/core/webhook/event.ts';

const JOB = '0184990a-477b-4fa8-9968-496074483cee';
const PIPELINE = '0184990a-4782-42b5-afc1-16715b10b1f0';
const FINISHED = {
  event: 'job.finished',
  job: { id: JOB, type: 'script', state: 'passed', finished_at: '2026-11-24T10:00:00.500Z' },
  pipeline: { id: PIPELINE },
};
const ENDED = {
  kind: 'job_ended',
  event: 'job.finished',
  job_id: JOB,
  pipeline_id: PIPELINE,
  state: 'passed',
  finished_at: Date.UTC(2026, 10, 24, 10, 0, 0, 500),
};

/** A finished job with some of its fields changed. */
const finished = (job: object, pipeline: unknown = FINISHED.pipeline) =>
  parseWebhookEvent({ ...FINISHED, job: { ...FINISHED.job, ...job }, pipeline });

describe('a finished job', () => {
  it('has ended, with what the event says of it', () => {
    expect(parseWebhookEvent(FINISHED)).toEqual(ENDED);
  });

  it('is known by its UUIDs in lower case', () => {
    expect(finished({ id: JOB.toUpperCase() }, { id: PIPELINE.toUpperCase() })).toEqual(ENDED);
  });

  it.each([{ type: null }, { type: undefined }, { type: 1 }, { type: 'x'.repeat(65) }, { type: 'a-type-to-come' }])(
    'has ended whatever type of job it is said to be: %j',
    (job) => {
      expect(finished(job)).toEqual(ENDED);
    },
  );

  it.each([null, undefined, 1, 'x'.repeat(65)])('has ended in a state that is not known: %j', (state) => {
    expect(finished({ state })).toEqual({ ...ENDED, state: undefined });
  });

  it.each([null, undefined, 1, 'soon', `2026-11-24T10:00:00.500Z${' '.repeat(41)}`])(
    'has ended at a time that is not known: %j',
    (finished_at) => {
      expect(finished({ finished_at })).toEqual({ ...ENDED, finished_at: undefined });
    },
  );

  it.each([null, 1, {}, { id: null }, { id: 'not-a-uuid' }])('has ended in a pipeline that is not known: %j', (of) => {
    expect(finished({}, of)).toEqual({ ...ENDED, pipeline_id: undefined });
  });

  it.each(['waiter', 'manual', 'trigger'])('held no job token when it never runs on an agent: %s', (type) => {
    expect(finished({ type })).toEqual({ kind: 'ignored', event: 'job.finished' });
  });

  it.each([undefined, null, '', 'x', `${JOB}0`, `x${JOB}`, JOB.replaceAll('-', ''), JOB.replace('0', 'g')])(
    'is no event without its UUID: %j',
    (id) => {
      expect(finished({ id })).toBeUndefined();
    },
  );
});

describe('another event', () => {
  it('is a ping, or ignored by its name', () => {
    expect(parseWebhookEvent({ event: 'ping' })).toEqual({ kind: 'ping' });
    for (const event of ['job.started', 'build.finished', 'job.finished ', '', 'x'.repeat(128)])
      expect(parseWebhookEvent({ ...FINISHED, event })).toEqual({ kind: 'ignored', event });
  });

  it.each([undefined, null, 'ping', {}, { event: null }, { event: 'x'.repeat(129) }])('has a name: %j', (data) => {
    expect(parseWebhookEvent(data)).toBeUndefined();
  });
});
