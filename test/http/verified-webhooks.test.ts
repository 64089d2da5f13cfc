import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { callRaw } from '../fixtures/raw-request.ts';
import { ENDED, readRecords, sign, UNTOUCHED, validWebhook } from './valid-webhook.ts';

const MIB = 1024 * 1024;

describe('a signed webhook', () => {
  let keydesk: InProcessKeydesk;
  beforeAll(async () => {
    keydesk = await openInProcessKeydesk();
  });
  afterAll(() => keydesk.close());

  const notify = (body: string | Buffer, headers: Record<string, string> = {}) =>
    callRaw(keydesk, keydesk.webhookUrl, {
      headers: {
        'content-type': 'application/json',
        'x-buildkite-signature': sign(Math.floor(keydesk.clock.now() / 1000), body),
        ...headers,
      },
      body,
    });
  const changed = (body: string, change: (event: Record<string, Record<string, unknown>>) => void) => {
    const event = JSON.parse(body) as Record<string, Record<string, unknown>>;
    change(event);
    return JSON.stringify(event);
  };

  describe('that says nothing about an end', () => {
    it('is accepted when it is a ping', async () => {
      const valid = await validWebhook(keydesk);
      const response = await notify('{"event":"ping","service":{"id":"1","provider":"webhook"},"organization":{}}');
      expect(response.status).toBe(200);
      expect(response.json).toEqual({ result: 'pong' });
      expect(response.audit).toMatchObject([{ event: 'webhook.accepted', result: 'ping' }]);
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
    });

    it.each([
      'job.started',
      'job.scheduled',
      'job.activated',
      'job.promised_exit_status',
      'build.finished',
      'build.skipped',
      'agent.lost',
      'cluster_token.registration_blocked',
      'job.exploded',
      'Job.Finished',
      'job.finished ',
      '',
    ])('is ignored when it is %j, though it names the job', async (name) => {
      const valid = await validWebhook(keydesk);
      const response = await notify(keydesk.buildkite.event(valid.job, name));
      expect(response.status).toBe(200);
      expect(response.json).toEqual({ result: 'ignored' });
      expect(response.audit).toMatchObject([{ event: 'webhook.accepted', result: 'ignored', buildkite_event: name }]);
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
    });

    it.each(['waiter', 'manual', 'trigger'])('is ignored when a job of type %s finished', async (type) => {
      const valid = await validWebhook(keydesk);
      const body = changed(valid.body, ({ job }) => Object.assign(job ?? {}, { type }));
      expect((await notify(body)).json).toEqual({ result: 'ignored' });
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
    });

    it('is judged by its body when a header names another event', async () => {
      const valid = await validWebhook(keydesk);
      const started = keydesk.buildkite.event(valid.job, 'job.started');
      expect((await notify(started, { 'x-buildkite-event': 'job.finished' })).json).toEqual({ result: 'ignored' });
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
      expect((await notify(valid.body, { 'x-buildkite-event': 'ping' })).json).toMatchObject({ result: 'job_ended' });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });
  });

  describe('that a job finished', () => {
    it.each([
      'passed',
      'failed',
      'finished',
      'canceled',
      'timed_out',
      'expired',
      'skipped',
      'broken',
      'canceling',
      'running',
      'evaporated',
      null,
      7,
    ])('ends the job in state %j', async (state) => {
      const valid = await validWebhook(keydesk);
      const response = await notify(changed(valid.body, ({ job }) => Object.assign(job ?? {}, { state })));
      expect(response.json).toEqual({ result: 'job_ended', revoked: 1, not_renewed: 0, expired: 0, pending: 0 });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });

    it.each(['script', 'hologram', null, 7, undefined])('ends a job of type %j', async (type) => {
      const valid = await validWebhook(keydesk);
      const response = await notify(changed(valid.body, ({ job }) => Object.assign(job ?? {}, { type })));
      expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1 });
    });

    it.each([
      ['without a pipeline', undefined],
      ['with a pipeline without an id', {}],
      ['with a pipeline whose id is no UUID', { id: 'app' }],
      ['with fields nobody knows', { id: '0184990A-4782-42B5-AFC1-16715B10B1F0', mood: 'good' }],
    ])('ends the job %s', async (_, pipeline) => {
      const valid = await validWebhook(keydesk);
      const response = await notify(changed(valid.body, (event) => Object.assign(event, { pipeline })));
      expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1 });
    });

    it('ends the job whose id it writes in capitals', async () => {
      const valid = await validWebhook(keydesk);
      const body = changed(valid.body, ({ job }) => Object.assign(job ?? {}, { id: valid.job.id.toUpperCase() }));
      expect((await notify(body)).json).toMatchObject({ result: 'job_ended', revoked: 1 });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });

    it('ends the job all the same, and warns, when it names another pipeline than the grant', async () => {
      const valid = await validWebhook(keydesk);
      const id = '0184990a-4782-42b5-afc1-16715b10b1f1';
      const response = await notify(changed(valid.body, ({ pipeline }) => Object.assign(pipeline ?? {}, { id })));
      expect(response.status).toBe(200);
      expect(response.json).toMatchObject({ result: 'job_ended', revoked: 1 });
      expect(response.audit[0]).toMatchObject({
        event: 'webhook.accepted',
        severity: 'WARNING',
        pipeline_mismatch: true,
        job_id: valid.job.id,
        pipeline_id: id,
      });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });

    it.each<[string, (now: number) => unknown, number | undefined]>([
      ['a minute and a half ago', (now) => new Date(now - 90_000).toISOString(), 90],
      [
        'in an older spelling',
        (now) => new Date(now - 90_000).toISOString().replace('T', ' ').replace('Z', ' UTC'),
        90,
      ],
      ['half a minute from now, by its clock', (now) => new Date(now + 30_000).toISOString(), 0],
      ['an hour before its grant, which a late job token got', (now) => new Date(now - 3_600_000).toISOString(), 3_600],
      ['long before its grant', (now) => new Date(now - 3 * 3_600_000).toISOString(), undefined],
      ['in an hour', (now) => new Date(now + 3_600_000).toISOString(), undefined],
      ['at no time', () => 'yesterday', undefined],
      ['at a number', () => 7, undefined],
      ['and does not say when', () => null, undefined],
    ])('has the time by which its tokens outlived it logged when it finished %s', async (_, at, seconds) => {
      const valid = await validWebhook(keydesk);
      keydesk.clock.set(valid.timestamp * 1000 + 120_000);
      const finished_at = at(keydesk.clock.now());
      const response = await notify(changed(valid.body, ({ job }) => Object.assign(job ?? {}, { finished_at })));
      const revoked = response.audit.find(({ event }) => event === 'grant.revoked');
      expect(revoked?.access_after_job_end_s).toBe(seconds);
    });

    it('does no harm when it comes again', async () => {
      const valid = await validWebhook(keydesk);
      const first = await notify(valid.body);
      expect(first.audit.map(({ event }) => event)).toEqual(['webhook.accepted', 'grant.revoked']);
      expect(first.audit[0]).toMatchObject({ repeated: false });
      const second = await notify(valid.body);
      expect(second.json).toEqual({ result: 'job_ended', revoked: 0, not_renewed: 0, expired: 0, pending: 0 });
      expect(second.audit.map(({ event }) => event)).toEqual(['webhook.accepted']);
      expect(second.audit[0]).toMatchObject({ repeated: true });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });

    it('does no harm when it comes ten times at once', async () => {
      const valid = await validWebhook(keydesk);
      const responses = await Promise.all(Array.from({ length: 10 }, () => notify(valid.body)));
      expect(responses.map(({ status }) => status)).toEqual(Array(10).fill(200));
      const swept = await keydesk.sweep();
      const revoked = [...responses, swept]
        .flatMap(({ audit }) => audit)
        .filter(({ event }) => event === 'grant.revoked');
      expect(revoked.map(({ job_id }) => job_id)).toEqual([valid.job.id]);
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });

    it('is remembered of a job that held nothing, which then gets nothing', async () => {
      const job = keydesk.buildkite.startJob();
      const jobToken = await keydesk.buildkite.jobToken(job);
      const response = await notify(keydesk.buildkite.event(job));
      expect(response.json).toEqual({ result: 'job_ended', revoked: 0, not_renewed: 0, expired: 0, pending: 0 });
      const late = await keydesk.requestByPath(jobToken);
      expect(late.status).toBe(400);
      expect(late.json).toMatchObject({ error: 'invalid_grant' });
      expect(await readRecords(keydesk, { job, accessToken: 'none' })).toMatchObject({ tombstone: true, states: [] });
    });
  });

  describe('that is no event', () => {
    it.each([
      ['nothing', ''],
      ['half of one', '{"event":"job.finished"'],
      ['a list', '[{"event":"ping"}]'],
      ['text', '"job.finished"'],
      ['null', 'null'],
      ['an event without a name', '{"job":{}}'],
      ['an event whose name is a number', '{"event":1}'],
      ['an event whose name is endless', JSON.stringify({ event: 'x'.repeat(129) })],
      ['a finished job that is missing', '{"event":"job.finished"}'],
      ['a finished job without an id', '{"event":"job.finished","job":{"type":"script"}}'],
      ['a finished job whose id is null', '{"event":"job.finished","job":{"id":null}}'],
      ['a finished job whose id is a path', '{"event":"job.finished","job":{"id":"../grants/x"}}'],
      [
        'a finished job whose id holds a newline',
        '{"event":"job.finished","job":{"id":"0184990a-477b-4fa8-9968-496074483cee\\n"}}',
      ],
      ['compressed', gzipSync('{"event":"ping"}')],
      ['no text at all', Buffer.from([0xff, 0xfe, 0x00])],
    ])('is refused as malformed: %s', async (_, body) => {
      const response = await notify(body);
      expect(response.status).toBe(400);
      expect(response.json).toEqual({
        error: 'invalid_request',
        error_description: 'The body is signed, but it is not a Buildkite event.',
        request_id: response.headers.get('x-request-id'),
      });
      expect(response.audit).toMatchObject([{ event: 'webhook.refused', reason: 'invalid_event', severity: 'ERROR' }]);
    });
  });

  describe('is taken', () => {
    it.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('by POST, not by %s', async (method) => {
      const { job, accessToken, body } = await validWebhook(keydesk);
      const signature = sign(Math.floor(keydesk.clock.now() / 1000), body);
      const response = await callRaw(keydesk, keydesk.webhookUrl, {
        method,
        headers: { 'x-buildkite-signature': signature },
        body,
      });
      expect(response.status).toBe(405);
      expect(response.headers.get('allow')).toBe('POST');
      expect(response.json).toMatchObject({ error: 'invalid_request' });
      expect(response.audit).toMatchObject([{ reason: 'method_not_allowed' }]);
      expect(await readRecords(keydesk, { job, accessToken })).toEqual(UNTOUCHED);
    });

    it.each(['/webhook', '//', '/%2F', '/token', '/.'])('at / and not at %s', async (path) => {
      const { job, accessToken, body } = await validWebhook(keydesk);
      const signature = sign(Math.floor(keydesk.clock.now() / 1000), body);
      const response = await callRaw(keydesk, keydesk.webhookUrl, {
        path,
        headers: { 'x-buildkite-signature': signature },
        body,
      });
      expect(response.status).toBe(404);
      expect(response.json).toMatchObject({ error: 'not_found' });
      expect(response.audit).toMatchObject([{ reason: 'not_found' }]);
      expect(await readRecords(keydesk, { job, accessToken })).toEqual(UNTOUCHED);
    });

    it('up to 32 MiB, and no byte more, which is an error in the log', async () => {
      const valid = await validWebhook(keydesk);
      const large = Buffer.alloc(32 * MIB + 1, ' ');
      large.write(valid.body);
      for (const headers of [{}, { 'transfer-encoding': 'chunked' }]) {
        const refused = await notify(large, headers);
        expect(refused.status).toBe(413);
        expect(refused.json).toMatchObject({ error: 'invalid_request' });
        expect(refused.audit).toMatchObject([
          { event: 'webhook.refused', reason: 'request_too_large', severity: 'ERROR' },
        ]);
      }
      expect(await readRecords(keydesk, valid)).toEqual(UNTOUCHED);
      expect((await notify(large.subarray(1).fill(valid.body, 0, valid.body.length))).json).toMatchObject({
        result: 'job_ended',
        revoked: 1,
      });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
    });
  });

  describe('that its job made large or strange', () => {
    const HUNDRED_KB = 'x'.repeat(100_000);
    const metadata = (other: string): Record<string, Record<string, unknown>> => ({
      'eleven values of 100 KB': Object.fromEntries(Array.from({ length: 11 }, (_, at) => [`note-${at}`, HUNDRED_KB])),
      'names of the event’s own fields': { event: 'ping', job: { id: other }, id: other, pipeline: { id: other } },
      'quotes, brackets and escapes': { '"},"job":{"id":"': `${other}"}`, '\\': '\\"', '{[': '}]' },
      'letters of every kind': { 'é€😀\u0000\ud800': 'é€😀\u0000\ud800\udfff' },
    });

    it.each(Object.keys(metadata('')))('ends that job, and no other, by metadata of %s', async (title) => {
      const [valid, other] = [await validWebhook(keydesk), await validWebhook(keydesk)];
      const meta_data = metadata(other.job.id)[title];
      const event = JSON.parse(valid.body) as { build: object };
      const build = { ...event.build, meta_data };
      for (const body of [JSON.stringify({ ...event, build }), JSON.stringify({ before: build, ...event })])
        expect((await notify(body)).json).toMatchObject({ result: 'job_ended' });
      expect(await readRecords(keydesk, valid)).toEqual(ENDED);
      expect(await readRecords(keydesk, other)).toEqual(UNTOUCHED);
    });

    it('ends its job though its lists are 100,000 deep and its text is no UTF-8', async () => {
      const valid = await validWebhook(keydesk);
      const body = Buffer.concat([
        Buffer.from(`{"deep":${'['.repeat(100_000)}${']'.repeat(100_000)},"text":"`),
        Buffer.from([0xff, 0xc3, 0xe2, 0x82]),
        Buffer.from(`",${valid.body.slice(1)}`),
      ]);
      expect((await notify(body)).json).toMatchObject({ result: 'job_ended', revoked: 1 });
    });

    it.each([
      ['two jobs', (body: string, other: string) => body.replace('{', `{"job":{"id":"${other}"},`)],
      [
        'two jobs, one with an escape',
        (body: string, other: string) => body.replace('{', `{"\\u006aob":{"id":"${other}"},`),
      ],
      ['two ids of its job', (body: string, other: string) => body.replace('"job":{', `"job":{"id":"${other}",`)],
      ['two events', (body: string) => body.replace('{', '{"event":"ping",')],
    ])('is malformed when it names %s', async (_, change) => {
      const [valid, other] = [await validWebhook(keydesk), await validWebhook(keydesk)];
      const response = await notify(change(valid.body, other.job.id));
      expect(response.status).toBe(400);
      expect(response.audit).toMatchObject([{ reason: 'invalid_event', severity: 'ERROR' }]);
      for (const job of [valid, other]) expect(await readRecords(keydesk, job)).toEqual(UNTOUCHED);
    });
  });
});
