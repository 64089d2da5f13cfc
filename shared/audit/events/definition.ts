// What the catalogue says of one event.

import type * as z from 'zod';
import type { SharedFields } from './fields.ts';

export type Severity = 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR' | 'CRITICAL';

/** By name. Each schema has a description: the documentation is generated from them. */
export type Fields = Readonly<Record<string, z.ZodType>>;
type Values<F extends Fields> = keyof F extends never ? unknown : z.output<z.ZodObject<F>>;

/** Texts that the message or the labels of an event need, and that its line does not have. */
export type Context = Readonly<Record<string, 'text' | 'text or undefined'>>;
type ContextValues<C extends Context> = {
  readonly [Name in keyof C]: C[Name] extends 'text' ? string : string | undefined;
};
/** What an event is made of. */
export type Given<F extends Fields, C extends Context> = Values<F> & ContextValues<C>;

export interface EventDefinition<F extends Fields, C extends Context, S extends Severity> {
  /** When it is written, and what follows from it. */
  readonly means: string;
  /** What its line has. For types, documentation and tests: a function never builds the schemas, which would slow its start. */
  readonly fields: (shared: SharedFields) => F;
  readonly context?: C;
  /** Always the same, or one of a few. */
  readonly severity: S | { readonly of: readonly S[]; readonly by: (given: Given<F, C>) => NoInfer<S> };
  /** By the name of the label, the field that it repeats. A label without a value is left out. */
  readonly labels?: Readonly<Record<string, NoInfer<(keyof F | keyof C) & string>>>;
  readonly message: (given: Given<F, C>) => string;
}

export function defineEvent<F extends Fields, const S extends Severity, const C extends Context = Record<never, never>>(
  definition: EventDefinition<F, C, S>,
): EventDefinition<F, C, S> {
  return definition;
}
