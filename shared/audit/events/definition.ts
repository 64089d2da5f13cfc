// What the catalogue says of one event.

import * as z from 'zod';

export type Severity = 'INFO' | 'NOTICE' | 'WARNING' | 'ERROR' | 'CRITICAL';

/** By name. Each schema has a description: the documentation is generated from them. */
export type Fields = Readonly<Record<string, z.ZodType>>;
export type Values<F extends Fields> = z.output<z.ZodObject<F>>;

export interface EventDefinition<F extends Fields, C extends Fields, S extends Severity> {
  /** When it is written, and what follows from it. */
  readonly means: string;
  /** What its line has. */
  readonly fields: F;
  /** What its message or its labels need and its line does not have. */
  readonly context?: C;
  /** Always the same, or one of a few. */
  readonly severity: S | { readonly of: readonly S[]; readonly by: (given: Values<F & C>) => NoInfer<S> };
  /** By the name of the label, the field that it repeats. A label without a value is left out. */
  readonly labels?: Readonly<Record<string, NoInfer<(keyof F | keyof C) & string>>>;
  readonly message: (given: Values<F & C>) => string;
}

export function defineEvent<F extends Fields, const S extends Severity, C extends Fields = Record<never, never>>(
  definition: EventDefinition<F, C, S>,
): EventDefinition<F, C, S> {
  return definition;
}

/** A list as it is logged: nobody writes to it. */
export const listOf = <T extends z.ZodType>(item: T) => z.array(item).readonly();
