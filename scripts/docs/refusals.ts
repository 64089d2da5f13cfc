// The tables about refusals: what the response says, when it happens and what to do.

import { BODY_NOT_ALLOWED } from '../../functions/token/exchange.ts';
import { toWebhookError } from '../../functions/webhook/handler.ts';
import type { WebhookRefusalReason } from '../../shared/audit/events/webhook.ts';
import { WEBHOOK_ADVICE } from '../../shared/audit/events/webhook-advice.ts';
import { parseExchangeRequest, TOKEN_EXCHANGE } from '../../shared/core/oauth/exchange-request.ts';
import {
  EXPLAINED_REASONS,
  type ExplainedReason,
  JOB_TOKEN_REASONS,
  type Refusal,
  toWireError,
  type WireError,
} from '../../shared/core/oauth/refusal.ts';
import { JOB_TOKEN_ADVICE, REFUSAL_ADVICE } from '../../shared/core/oauth/refusal-advice.ts';
import { type Blocks, name, names, table } from './markdown.ts';

type Reason = Refusal['reason'];

const REASONS: readonly Reason[] = [
  ...(Object.keys(REFUSAL_ADVICE) as (keyof typeof REFUSAL_ADVICE)[]),
  ...JOB_TOKEN_REASONS,
];
/** Refusals whose words name what is wrong: one example of each. */
const EXAMPLES: readonly Refusal[] = [
  refusalOf(`grant_type=${TOKEN_EXCHANGE}`),
  refusalOf('audience=a&audience=b'),
  refusalOf(`grant_type=${TOKEN_EXCHANGE}&subject_token=x&subject_token_type=x`),
  refusalOf(`grant_type=${TOKEN_EXCHANGE}&actor_token=x`),
  BODY_NOT_ALLOWED,
];

export function refusalTables(): Blocks {
  return {
    errors: table(
      ['`error`', 'status', 'reasons'],
      [...errors()].map(([error, { statuses, reasons }]) => [
        name(error),
        [...statuses].sort().join(', '),
        [...new Set([...reasons].map((reason) => (isCommonTokenReason(reason) ? '`job_token_…`' : name(reason))))].join(
          ', ',
        ),
      ]),
    ),
    refusals: responseTable([
      [
        responseCell(responseTo('job_token_malformed')),
        '`job_token_…`. The log has the reason: see [below](#why-a-job-token-was-not-accepted).',
        'Check that the variable holds a job token and no error message. Then give the operators the request ID.',
      ],
      ...EXPLAINED_REASONS.map((reason) => {
        const { when, whatToDo } = JOB_TOKEN_ADVICE[reason];
        return [responseCell(explanationOf(reason)), `${name(reason)}. ${when}`, whatToDo] as const;
      }),
      ...['job_token_missing' as const, ...(Object.keys(REFUSAL_ADVICE) as (keyof typeof REFUSAL_ADVICE)[])].map(
        (reason) => {
          const { when, whatToDo } = { ...JOB_TOKEN_ADVICE, ...REFUSAL_ADVICE }[reason];
          return [responseCell(responseTo(reason)), `${name(reason)}. ${when}`, whatToDo] as const;
        },
      ),
    ]),
    'job tokens': table(
      ['reason', 'when', 'what to do'],
      Object.entries(JOB_TOKEN_ADVICE).map(([reason, { when, whatToDo }]) => [name(reason), when, whatToDo]),
    ),
    webhook: responseTable(
      (Object.keys(WEBHOOK_ADVICE) as WebhookRefusalReason[]).map((reason) => {
        const { when, whatToDo } = WEBHOOK_ADVICE[reason];
        const response =
          reason === 'body_too_slow' ? 'none: the connection is closed' : responseCell([toWebhookError(reason)]);
        return [response, `${name(reason)}. ${when}`, whatToDo] as const;
      }),
    ),
  };
}

/** A response equal to the one of the row before is not repeated. */
function responseTable(rows: readonly (readonly [response: string, reason: string, whatToDo: string])[]): string {
  return table(
    ['response', 'reason, and when', 'what to do'],
    rows.map(([response, ...rest], index) => [response === rows[index - 1]?.[0] ? 'the same' : response, ...rest]),
  );
}

function isCommonTokenReason(reason: Reason): boolean {
  return reason !== 'job_token_missing' && (JOB_TOKEN_REASONS as readonly string[]).includes(reason);
}

/** What a verified job of the organization learns. */
function explanationOf(reason: ExplainedReason): WireError[] {
  return responsesTo({ reason, received: '…', expected: '…' });
}

function responseTo(reason: Reason): WireError[] {
  return responsesTo(refusalFor(reason));
}

/** The response on the form, and on the Bearer form where that is another one. */
function responsesTo(refusal: Refusal): WireError[] {
  const [form, bearer] = [false, true].map((isBearer) => toWireError(refusal, { bearer: isBearer, contact: '…' }));
  if (!form || !bearer) throw new Error('no response');
  return form.error === bearer.error ? [form] : [form, bearer];
}

function refusalOf(form: string): Refusal {
  const parsed = parseExchangeRequest(form);
  if ('refusal' in parsed) return parsed.refusal;
  throw new Error(`not refused: ${form}`);
}

/** A refusal with every fact that a response may contain: each arm of the type has some of them. */
function refusalFor(reason: Reason): Refusal {
  const example = EXAMPLES.find((refusal) => refusal.reason === reason);
  const facts = { missing: ['…'], allow: '…', expected: '…', limit: '…', retryAfter: '…' };
  return example ?? ({ reason, trace: [], ...facts } as unknown as Refusal);
}

interface Response {
  readonly status: number;
  readonly error: string;
  readonly description: string;
}

/** Status and error of each, and the words that they share. */
function responseCell(responses: readonly (Response & Partial<WireError>)[]): string {
  const [first] = responses;
  if (!first?.description) throw new Error('a response without words');
  const members = [
    ...(first.missingClaims ? ['missing_claims'] : []),
    ...(first.permanent ? ['"permanent": true'] : []),
    ...(first.retryAfter === undefined ? [] : ['Retry-After']),
  ];
  const codes = responses.map(({ status, error }) => `${status} ${name(error)}`).join(' or ');
  return `${codes}${members.length > 0 ? ` with ${names(members)}` : ''}: ${name(first.description)}`;
}

function errors(): ReadonlyMap<string, { readonly statuses: Set<number>; readonly reasons: Set<Reason> }> {
  const found = new Map<string, { readonly statuses: Set<number>; readonly reasons: Set<Reason> }>();
  for (const reason of REASONS)
    for (const { error, status } of responseTo(reason)) {
      const known = found.get(error) ?? { statuses: new Set(), reasons: new Set() };
      known.statuses.add(status);
      known.reasons.add(reason);
      found.set(error, known);
    }
  return found;
}
