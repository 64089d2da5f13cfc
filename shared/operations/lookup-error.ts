// How a lookup at Buildkite fails. A field distinguishes it and not the class, because each bundle has its own class.

import type { FailureCode } from '../core/failure-code.ts';
import { DependencyError } from '../runtime/errors.ts';

/** The dependencies, as audit lines name them: each has an API token of its own. */
export const BUILDKITE = 'buildkite jobs';
export const BUILDKITE_TEAMS = 'buildkite teams';

/**
 * `refused` (401 or 403), `limited` (429) and `unreachable` (no connection) concern Buildkite as a whole. `too_large` and
 * `failed` concern the single request.
 */
const KINDS = ['refused', 'limited', 'unreachable', 'too_large', 'failed'] as const;
type FailureKind = (typeof KINDS)[number];
const CODES: Readonly<Record<FailureKind, FailureCode>> = {
  refused: 'refused',
  limited: 'rate_limited',
  unreachable: 'unreachable',
  too_large: 'response_too_large',
  failed: 'invalid_response',
};

export class LookupError extends DependencyError {
  readonly kind: FailureKind;

  constructor(
    kind: FailureKind,
    detail: string,
    {
      code = CODES[kind],
      dependency = BUILDKITE,
      ...options
    }: { code?: FailureCode; dependency?: string; retryAfter?: number } & ErrorOptions = {},
  ) {
    super(dependency, code, detail, options);
    this.kind = kind;
  }

  /** Whether `error` is one of these, also when it comes from another bundle. */
  static override is(error: unknown): error is LookupError {
    return DependencyError.is(error) && 'kind' in error && KINDS.some((kind) => kind === error.kind);
  }
}
