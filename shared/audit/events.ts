// The catalogue of audit events, and the only way to make one. A new field is added to its event in events/, and given
// where its value is known: the compiler finds that place, and refuses a field that the catalogue does not have.
// docs/AUDIT.md is generated from here: npm run docs.

import { ACCOUNT_EVENTS } from './events/account.ts';
import { BUILD_EVENTS } from './events/build.ts';
import type { Context, EventDefinition, Fields, Given, Severity } from './events/definition.ts';
import { sharedFields } from './events/fields.ts';
import { GRANT_EVENTS } from './events/grant.ts';
import { INSTANCE_EVENTS } from './events/instance.ts';
import { KILL_SWITCH_EVENTS } from './events/kill-switch.ts';
import { OPERATOR_EVENTS } from './events/operator.ts';
import { REFUSAL_EVENTS } from './events/refusal.ts';
import { SWEEP_EVENTS } from './events/sweep.ts';
import { TOKEN_EVENTS } from './events/token.ts';
import { WEBHOOK_EVENTS } from './events/webhook.ts';

export const EVENTS = {
  ...GRANT_EVENTS,
  ...REFUSAL_EVENTS,
  ...TOKEN_EVENTS,
  ...WEBHOOK_EVENTS,
  ...SWEEP_EVENTS,
  ...BUILD_EVENTS,
  ...ACCOUNT_EVENTS,
  ...KILL_SWITCH_EVENTS,
  ...OPERATOR_EVENTS,
  ...INSTANCE_EVENTS,
};
export type AuditEventName = keyof typeof EVENTS;

type GivenTo<Name extends AuditEventName> =
  (typeof EVENTS)[Name] extends EventDefinition<infer F, infer C, Severity> ? Given<F, C> : never;

/** No other object has its private member, and a copy loses it. */
declare class OfCatalogue {
  private readonly ofCatalogue: true;
}

/** One decision, as {@link auditEvent} makes it. Tokens, keys and signatures are never among its fields. */
export interface AuditEvent extends OfCatalogue {
  readonly event: AuditEventName;
  readonly severity: Severity;
  readonly message: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly [field: string]: unknown;
}

type KeysOf<T> = T extends unknown ? keyof T : never;
/** Forbids fields that are not expected, also those of an object that is spread. */
type NoOthers<Expected, Actual> = { readonly [Field in Exclude<KeysOf<Actual>, keyof Expected>]?: never };

type Values = Readonly<Record<string, unknown>>;
/** What a definition is to the compiler where it does not know the event: what is given to it is of its type. */
interface Definition {
  readonly severity: Severity | { readonly by: (values: Values) => Severity };
  readonly message: (values: Values) => string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly context?: Context;
}

/** Makes an event. Its severity, its message and its labels follow from its fields. */
export function auditEvent<Name extends AuditEventName, Actual extends GivenTo<Name>>(
  event: Name,
  given: Actual & NoOthers<GivenTo<Name>, Actual>,
): AuditEvent {
  const { severity, message, labels = {}, context = {} } = EVENTS[event] as unknown as Definition;
  const values: Values = given;
  const labelled = Object.entries(labels).flatMap(([label, field]) => {
    const value = values[field];
    return value === undefined ? [] : [[label, String(value)] as const];
  });
  const made = {
    event,
    severity: typeof severity === 'string' ? severity : severity.by(values),
    message: message(values),
    ...Object.fromEntries(Object.entries(values).filter(([field]) => !Object.hasOwn(context, field))),
    ...(labelled.length > 0 ? { labels: Object.fromEntries(labelled) } : {}),
  };
  return made as typeof made & AuditEvent;
}

/** The schemas of the fields that lines of the event have, each with what it means. */
export function fieldsOf(event: AuditEventName): Fields {
  return EVENTS[event].fields(sharedFields());
}
