import { createHmac } from 'node:crypto';
import { parseDocument } from 'yaml';
import { createWebhookHandler } from '../../../functions/webhook/handler.ts';
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
const SIGNED = `timestamp=${SECONDS},signature=`;

export const target: Target = {
  claim:
    "A webhook: how to sign it, its signature header, and its body in pieces of the given size. It is accepted only with one key's HMAC within five minutes, and ends the job that JSON.parse reads, or nothing.",
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
    `1 2\n${SIGNED}\n{"ev\\u0065nt":"job.finished","job":{"id":"${JOB}","finished_at":null},"pipeline":{"id":7}}`,
  ],
  run: async (input) => {
    const [order = Buffer.alloc(0), header = Buffer.alloc(0), body = Buffer.alloc(0)] = split(input);
    const [, which, size] = /^([01-])(?: (\d{1,4}))?/.exec(order.toString('latin1')) ?? [];
    const written = header.toString('latin1');
    const signed = which === '-' || which === undefined ? written : sign(written, body, TOKENS[Number(which)] ?? '');
    const ended: JobEnd[] = [];
    const response = await respond(signed, body, Number(size ?? 1) || 1, ended);
    const expected = judge(signed, body);
    // Buildkite signs JSON, and a field that is named twice is refused.
    if (expected === undefined || (response.status === 400 && ended.length === 0 && namesTwice(body))) return;
    const said = JSON.stringify(response.body);
    demand(!TOKENS.some((token) => said.includes(token)) && !/[0-9a-f]{64}/.test(said), 'no secret is in the response');
    demandEqual({ status: response.status, ended }, expected, 'what was accepted and ended');
  },
};

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

async function respond(header: string, body: Buffer, size: number, ended: JobEnd[]) {
  const handle = createWebhookHandler({
    webhookTokens: TOKENS,
    endJob: async (end) => {
      ended.push(end);
      return { revoked: [], notRenewed: [], expired: [], pending: [], alreadyEnded: false, pipelineMismatch: false };
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
}

/** What must come of it, by hand; undefined for a body that is signed and no JSON. */
function judge(header: string, body: Buffer): Outcome | undefined {
  const fields = header.split(',').map((part) => /^\s*(timestamp|signature)\s*=\s*(\S*)\s*$/.exec(part));
  const { timestamp, signature } = Object.fromEntries(fields.map((field) => [field?.[1], field?.[2]]));
  if (fields.length !== 2 || !timestamp || !signature || !/^\d{1,12}$/.test(timestamp))
    return { status: 401, ended: [] };
  if (Math.abs(Number(timestamp) - SECONDS) > 300) return { status: 401, ended: [] };
  const signers = TOKENS.map((key) => createHmac('sha256', key).update(`${timestamp}.`).update(body).digest('hex'));
  return signers.includes(signature) ? judgeSigned(body.toString('utf8')) : { status: 401, ended: [] };
}

function judgeSigned(text: string): Outcome | undefined {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { event, job, pipeline } = membersOf(data);
  if (typeof event !== 'string' || event.length > 128) return { status: 400, ended: [] };
  if (event !== 'job.finished') return { status: 200, ended: [] };
  const { id, type, finished_at } = membersOf(job);
  if (!isUuid(id)) return { status: 400, ended: [] };
  if (typeof type === 'string' && ['waiter', 'manual', 'trigger'].includes(type)) return { status: 200, ended: [] };
  const pipelineId = membersOf(pipeline).id;
  const at = typeof finished_at === 'string' && finished_at.length <= 64 ? Date.parse(finished_at) : Number.NaN;
  const end = {
    job_id: id.toLowerCase(),
    by: 'job.finished',
    ...(isUuid(pipelineId) ? { pipeline_id: pipelineId.toLowerCase() } : {}),
    ...(Number.isNaN(at) ? {} : { finished_at: at }),
  };
  return { status: 200, ended: [end] };
}

function isUuid(value: unknown): value is string {
  return typeof value === 'string' && /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(value);
}

function namesTwice(body: Buffer): boolean {
  const { errors } = parseDocument(body.toString('utf8'), { uniqueKeys: true, prettyErrors: false });
  return errors.some(({ code }) => code === 'DUPLICATE_KEY');
}
