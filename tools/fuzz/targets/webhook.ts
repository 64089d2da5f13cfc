import { createHmac } from 'node:crypto';
import { parseDocument } from 'yaml';
import { createWebhookHandler } from '../../../functions/webhook/handler.ts';
import type { BuildNews } from '../../../shared/core/conditions/build-record.ts';
import type { JobEnd } from '../../../shared/operations/ports.ts';
import { membersOf } from '../independent/json.ts';
import { CLOCK, SECONDS } from '../independent/setting.ts';
import { demand, demandEqual, type Target } from '../target.ts';

const TOKENS = ['first-webhook-key', 'second-webhook-key'] as const;
const JOB = '0184990a-477b-4fa8-9968-496074483cee';
const FINISHED = JSON.stringify({
  event: 'job.finished',
  build: { id: JOB, tags: ['a"}', { id: '\\' }], text: 'ü\u2028' },
  job: { id: JOB, type: 'script', state: 'passed', finished_at: '2026-11-24 09:59:58 UTC', agent: { id: 'x' } },
  pipeline: { id: '0184990A-4782-42b5-afc1-16715b10b1f0', slug: 'web' },
});
const PERSON = '0184990a-477b-4fa8-9968-496074483ca1';
const BUILD = {
  ...{ id: JOB, number: 42, source: 'ui', creator: { id: PERSON, name: 'A' } },
  meta_data: { note: '{', 'break-glass-reason': 'ü\ud83d why' },
};
const STEP = {
  ...{ id: JOB, type: 'manual', step_key: 'approve', step: { id: JOB, signature: null } },
  ...{ unblocked_by: { id: PERSON }, unblocked_at: '2026-11-24T09:59:58.000Z' },
};
const PIPELINE = { id: '0184990A-4782-42b5-afc1-16715b10b1f0', slug: 'web' };
const ACTIVATED = JSON.stringify({ event: 'job.activated', job: STEP, build: BUILD, pipeline: PIPELINE });
const SIGNED = `timestamp=${SECONDS},signature=`;

export const target: Target = {
  claim:
    "A webhook: how to sign it, its signature header, and its body in pieces of the given size. It is accepted only with one key's HMAC within five minutes, and ends the job, or records of the build, what JSON.parse reads, or nothing.",
  files: [
    'functions/webhook/handler.ts',
    'shared/core/webhook/signature.ts',
    'shared/core/webhook/event.ts',
    'shared/core/webhook/scan.ts',
  ],
  seeds: [
    `0 7\n${SIGNED}\n${FINISHED}`,
    `1 999\n${SIGNED}\n{"event":"ping"}`,
    `0 1\n${SIGNED}\n{"event":"job.started","job":{"id":"${JOB}"}}`,
    `- 3\ntimestamp=${SECONDS},signature=${'a'.repeat(64)}\n${FINISHED}`,
    `0 3\ntimestamp=${SECONDS - 301},signature=\n${FINISHED}`,
    `0 3\ntimestamp=${SECONDS + 301},signature=\n${FINISHED}`,
    `1 2\n${SIGNED}\n{"event":"job.finished","job":{"id":"${JOB}","type":"waiter"},"pipeline":null}`,
    `0 7\n${SIGNED}\n${ACTIVATED}`,
    `1 5\n${SIGNED}\n${ACTIVATED.replace('job.activated', 'build.scheduled').replace('"creator"', '"cr\\u0065ator"')}`,
    `0 9\n${SIGNED}\n${ACTIVATED.replace('activated', 'finished').replace('manual', 'script')}`,
    `0 9\n${SIGNED}\n${JSON.stringify({ event: 'build.scheduled', build: { number: 1, creator: null }, pipeline: PIPELINE })}`,
    `1 2\n${SIGNED}\n{"ev\\u0065nt":"job.finished","job":{"id":"${JOB}","finished_at":null},"pipeline":{"id":7}}`,
  ],
  run: async (input) => {
    const [order = Buffer.alloc(0), header = Buffer.alloc(0), body = Buffer.alloc(0)] = split(input);
    const [, which, size] = /^([01-])(?: (\d{1,4}))?/.exec(order.toString('latin1')) ?? [];
    const written = header.toString('latin1');
    const signed = which === '-' || which === undefined ? written : sign(written, body, TOKENS[Number(which)] ?? '');
    const done: Done = { ended: [], news: [] };
    const response = await respond(signed, body, Number(size ?? 1) || 1, done);
    const expected = judge(signed, body);
    // Buildkite signs JSON, and a field that is named twice is refused, or says nothing of a build.
    const isUnclear = done.ended.length === 0 && (response.status === 400 || expected?.ended.length === 0);
    if (expected === undefined || (isUnclear && namesTwice(body))) return;
    const said = JSON.stringify(response.body);
    demand(!TOKENS.some((token) => said.includes(token)) && !/[0-9a-f]{64}/.test(said), 'no secret is in the response');
    demandEqual({ status: response.status, ...done }, expected, 'what was accepted, ended and recorded');
  },
};

interface Done {
  readonly ended: JobEnd[];
  readonly news: BuildNews[];
}

/** The first two lines, and the rest. */
function split(input: Buffer): Buffer[] {
  const first = input.indexOf('\n');
  const second = input.indexOf('\n', first + 1);
  if (first < 0 || second < 0) return [input];
  return [input.subarray(0, first), input.subarray(first + 1, second), input.subarray(second + 1)];
}

/** The header with a signature at its end that fits its timestamp. */
function sign(header: string, body: Buffer, key: string): string {
  const timestamp = /timestamp=([^,]*)/.exec(header)?.[1] ?? '';
  const text = Buffer.concat([Buffer.from(`${timestamp}.`, 'latin1'), body]);
  return header + createHmac('sha256', key).update(text).digest('hex');
}

async function respond(header: string, body: Buffer, size: number, done: Done) {
  const handle = createWebhookHandler({
    webhookTokens: TOKENS,
    endJob: async (end) => {
      done.ended.push(end);
      return { revoked: [], notRenewed: [], expired: [], pending: [], alreadyEnded: false, pipelineMismatch: false };
    },
    recordBuild: async (news) => {
      done.news.push(news);
      return true;
    },
    keyAccepted: () => {},
    clock: CLOCK,
  });
  const head = { method: 'POST', path: '/', query: '', request_id: 'r', remoteIp: undefined, audit: () => {} };
  const decided = handle({ ...head, headers: { 'x-buildkite-signature': header } });
  if (!('take' in decided)) return decided;
  for (let at = 0; at < body.length; at += size) decided.take(body.subarray(at, at + size));
  return decided.finish();
}

interface Outcome {
  readonly status: number;
  readonly ended: readonly object[];
  readonly news: readonly object[];
}

const nothing = (status: number): Outcome => ({ status, ended: [], news: [] });

/** What must come of it, by hand; undefined for a body that is signed and no JSON. */
function judge(header: string, body: Buffer): Outcome | undefined {
  const fields = header.split(',').map((part) => /^\s*(timestamp|signature)\s*=\s*(\S*)\s*$/.exec(part));
  const { timestamp, signature } = Object.fromEntries(fields.map((field) => [field?.[1], field?.[2]]));
  if (fields.length !== 2 || !timestamp || !signature || !/^\d{1,12}$/.test(timestamp)) return nothing(401);
  if (Math.abs(Number(timestamp) - SECONDS) > 300) return nothing(401);
  const signers = TOKENS.map((key) => createHmac('sha256', key).update(`${timestamp}.`).update(body).digest('hex'));
  return signers.includes(signature) ? judgeSigned(body.toString('utf8')) : nothing(401);
}

function judgeSigned(text: string): Outcome | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { event, job, pipeline } = membersOf(data);
  if (typeof event !== 'string' || event.length > 128) return nothing(400);
  if (event === 'job.activated' || event === 'build.scheduled')
    return { ...nothing(200), news: newsIn(membersOf(data), event === 'job.activated') };
  if (event !== 'job.finished') return nothing(200);
  const { id, type, finished_at } = membersOf(job);
  if (!isUuid(id)) return nothing(400);
  if (typeof type === 'string' && ['waiter', 'manual', 'trigger'].includes(type)) return nothing(200);
  const pipelineId = membersOf(pipeline).id;
  const at = typeof finished_at === 'string' && finished_at.length <= 64 ? Date.parse(finished_at) : Number.NaN;
  const end = {
    job_id: id.toLowerCase(),
    by: 'job.finished',
    ...(isUuid(pipelineId) ? { pipeline_id: pipelineId.toLowerCase() } : {}),
    ...(Number.isNaN(at) ? {} : { finished_at: at }),
  };
  return { ...nothing(200), ended: [end] };
}

/** What is to be recorded; nothing where the build or the step is not named. */
function newsIn(data: Readonly<Record<string, unknown>>, isActivated: boolean): object[] {
  const [job, build, pipeline] = [membersOf(data.job), membersOf(data.build), membersOf(data.pipeline)];
  const { number, creator } = build;
  if (!isUuid(pipeline.id) || typeof number !== 'number' || !Number.isSafeInteger(number) || number < 1) return [];
  const unblocks = isActivated ? unblocksIn(job) : [];
  if (isActivated && unblocks.length === 0) return [];
  const written = membersOf(build.meta_data)['break-glass-reason'];
  const reason = typeof written === 'string' ? written.slice(0, 500).toWellFormed().trim() : '';
  const creatorId = membersOf(creator).id;
  // A creator that is no object is nobody.
  const isNobody = 'creator' in build && (typeof creator !== 'object' || creator === null || Array.isArray(creator));
  return [
    {
      ...{ pipeline_id: pipeline.id.toLowerCase(), build_number: number, unblocks },
      ...(isUuid(build.id) ? { build_id: build.id.toLowerCase() } : {}),
      ...(isNobody ? { creator: null } : isUuid(creatorId) ? { creator: creatorId.toLowerCase() } : {}),
      ...(reason === '' ? {} : { reason }),
    },
  ];
}

function unblocksIn(job: Readonly<Record<string, unknown>>): object[] {
  const { id, type, step_key, step, unblocked_by, unblocked_at } = job;
  const isKey = typeof step_key === 'string' && step_key !== '' && step_key.length <= 256 && step_key.isWellFormed();
  const at = typeof unblocked_at === 'string' && unblocked_at.length <= 64 ? Date.parse(unblocked_at) : Number.NaN;
  const isBySomebody = typeof unblocked_by === 'object' && unblocked_by !== null && !Array.isArray(unblocked_by);
  const by = membersOf(unblocked_by).id;
  if (!isUuid(id) || type !== 'manual' || !isKey || !(at >= 0 && at < Date.UTC(9999, 0))) return [];
  if (!('unblocked_by' in job) || (isBySomebody && !isUuid(by))) return [];
  const stepId = membersOf(step).id;
  return [
    {
      ...{ job_id: id.toLowerCase(), step_key, unblocked_at: at },
      step_id: isUuid(stepId) ? stepId.toLowerCase() : null,
      unblocked_by: isUuid(by) ? by.toLowerCase() : null,
    },
  ];
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value);
}

function namesTwice(body: Buffer): boolean {
  const { errors } = parseDocument(body.toString('utf8'), { uniqueKeys: true, prettyErrors: false });
  return errors.some(({ code }) => code === 'DUPLICATE_KEY');
}
