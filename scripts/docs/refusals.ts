// The tables about refusals: what the response says, when it happens and what to do.

import { BODY_NOT_ALLOWED } from '../../functions/token/exchange.ts';
import { toWebhookError } from '../../functions/webhook/handler.ts';
import type { WebhookRefusalReason } from '../../shared/audit/events/webhook.ts';
import { WEBHOOK_ADVICE } from '../../shared/audit/events/webhook-advice.ts';
import { parseExchangeRequest, TOKEN_EXCHANGE } from '../../shared/core/oauth/exchange-request.ts';
import {
  AGENT_TOKEN_REASONS,
  APPROVAL_PROBLEMS,
  EXPLAINED_REASONS,
  type ExplainedReason,
  JOB_TOKEN_REASONS,
  type Refusal,
  toWireError,
  type WireError,
} from '../../shared/core/oauth/refusal.ts';
import {
  type Advice,
  AGENT_TOKEN_ADVICE,
  APPROVAL_ADVICE,
  CONDITION_ADVICE,
  JOB_TOKEN_ADVICE,
  REFUSAL_ADVICE,
} from '../../shared/core/oauth/refusal-advice.ts';
import { type Blocks, name, names, table } from './markdown.ts';

type Reason = Refusal['reason'];

const REASONS: readonly Reason[] = [
  ...(Object.keys(REFUSAL_ADVICE) as (keyof typeof REFUSAL_ADVICE)[]),
  ...JOB_TOKEN_REASONS,
  ...AGENT_TOKEN_REASONS,
];
const EXPLAINED_AGENT_REASONS = [
  'agent_token_audience_wrong',
  'agent_token_expired',
  'agent_token_lifetime_too_long',
  'agent_token_not_yet_valid',
  'agent_token_issued_in_future',
] as const satisfies readonly (typeof AGENT_TOKEN_REASONS)[number][];
/** Refusals whose words name what is wrong: one example of each. */
const EXAMPLES: readonly Refusal[] = [
  refusalOf(`grant_type=${TOKEN_EXCHANGE}`),
  refusalOf('audience=a&audience=b'),
  refusalOf(`grant_type=${TOKEN_EXCHANGE}&subject_token=x&subject_token_type=x`),
  refusalOf(`grant_type=${TOKEN_EXCHANGE}&actor_token=x`),
  BODY_NOT_ALLOWED,
  { reason: 'approval_not_accepted', step: '…', problem: 'approver_unknown', trace: [] },
];

/** The same reason has another response where the claims of the job match a rule. */
const CONDITION_UNMET: Refusal = {
  reason: 'no_matching_rule',
  trace: [{ rule: '…', outcome: 'condition_unmet', checks: [], condition: 'team', reason: 'pipeline_not_in_team' }],
};

/** The same reason has other words where it is not a team that is not known. */
const BUILD_UNKNOWN: Refusal = { reason: 'conditions_unknown', unknown: 'build', trace: [], retryAfter: 0 };

export function refusalTables(): Blocks {
  return {
    errors: table(
      ['`error`', 'status', 'reasons'],
      [...errors()].map(([error, { statuses, reasons }]) => [
        name(error),
        [...statuses].sort().join(', '),
        [...new Set([...reasons].map((reason) => commonTokenReason(reason) ?? name(reason)))].join(', '),
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
      [
        responseCell(responseTo('agent_token_malformed')),
        '`agent_token_…`. The log has the reason: see [below](#why-a-machines-token-was-not-accepted).',
        "Check that the variable holds the machine's token and no error message. Then give the operators the request ID.",
      ],
      ...EXPLAINED_AGENT_REASONS.map((reason) => {
        const { when, whatToDo } = AGENT_TOKEN_ADVICE[reason];
        return [responseCell(explanationOf(reason)), `${name(reason)}. ${when}`, whatToDo] as const;
      }),
      ...['job_token_missing' as const, ...(Object.keys(REFUSAL_ADVICE) as (keyof typeof REFUSAL_ADVICE)[])].flatMap(
        (reason) => {
          const { when, whatToDo } = { ...JOB_TOKEN_ADVICE, ...REFUSAL_ADVICE }[reason];
          const row = (responses: WireError[]) =>
            [responseCell(responses), `${name(reason)}. ${when}`, whatToDo] as const;
          if (reason === 'conditions_unknown') return [row(responsesTo(BUILD_UNKNOWN)), row(responseTo(reason))];
          if (reason === 'no_matching_rule') return [conditionUnmetRow(), row(responseTo(reason))];
          return [row(responseTo(reason))];
        },
      ),
    ]),
    'job tokens': adviceTable('reason', JOB_TOKEN_ADVICE),
    'machine tokens': adviceTable('reason', AGENT_TOKEN_ADVICE),
    approvals: adviceTable('`problem`', APPROVAL_ADVICE),
    conditions: adviceTable('`reason` in `trace`', CONDITION_ADVICE),
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

/** The condition is an example. */
function conditionUnmetRow(): readonly [response: string, reason: string, whatToDo: string] {
  const responses = responsesTo(CONDITION_UNMET).map((one) => ({
    ...one,
    description: one.description.replace('team', '…'),
  }));
  return [
    responseCell(responses),
    '`no_matching_rule`. The claims of the job match a rule, and one of its conditions does not hold. `trace` in the log says which, and why.',
    'Run `keydesk explain REQUEST_ID`. It says who can change it.',
  ];
}

function adviceTable(title: string, advice: Readonly<Record<string, Advice>>): string {
  return table(
    [title, 'when', 'what to do'],
    Object.entries(advice).map(([reason, { when, whatToDo }]) => [name(reason), when, whatToDo]),
  );
}

/** A response equal to the one of the row before is not repeated. */
function responseTable(rows: readonly (readonly [response: string, reason: string, whatToDo: string])[]): string {
  return table(
    ['response', 'reason, and when', 'what to do'],
    rows.map(([response, ...rest], index) => [response === rows[index - 1]?.[0] ? 'the same' : response, ...rest]),
  );
}

function commonTokenReason(reason: Reason): string | undefined {
  if ((AGENT_TOKEN_REASONS as readonly string[]).includes(reason)) return '`agent_token_…`';
  const isJobToken = reason !== 'job_token_missing' && (JOB_TOKEN_REASONS as readonly string[]).includes(reason);
  return isJobToken ? '`job_token_…`' : undefined;
}

/** What a verified job of the organization learns. */
function explanationOf(reason: ExplainedReason | (typeof EXPLAINED_AGENT_REASONS)[number]): WireError[] {
  return responsesTo({ reason, received: '…', expected: '…' });
}

function responseTo(reason: Reason): WireError[] {
  const responses = responsesTo(refusalFor(reason));
  if (reason !== 'approval_not_accepted') return responses;
  // Its end is another one for each problem: see the table of them.
  const { approver_unknown } = APPROVAL_PROBLEMS;
  return responses.map((one) => ({ ...one, description: one.description.replace(approver_unknown, '…') }));
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
  const facts = {
    missing: ['…'],
    allow: '…',
    expected: '…',
    limit: '…',
    step: '…',
    providers: ['…'],
    retryAfter: '…',
  };
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
    for (const { error, status } of [
      ...responseTo(reason),
      ...(reason === 'no_matching_rule' ? responsesTo(CONDITION_UNMET) : []),
    ]) {
      const known = found.get(error) ?? { statuses: new Set(), reasons: new Set() };
      known.statuses.add(status);
      known.reasons.add(reason);
      found.set(error, known);
    }
  return found;
}
