// How a lookup at Buildkite fails. Told apart by a field and not by the class, which is another one in each bundle.

import type { FailureCode } from '../core/failure-code.ts';
import { DependencyError } from '../runtime/errors.ts';

/** Who failed, as it stands in audit lines. */
export const BUILDKITE = 'buildkite jobs';

/**
 * `refused` (401 or 403), `limited` (429) and `unreachable` (no connection) concern Buildkite as a whole. `too_large` and
 * `failed` concern what was asked for.
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
    { code = CODES[kind], ...options }: { code?: FailureCode; retryAfter?: number } & ErrorOptions = {},
  ) {
    super(BUILDKITE, code, detail, options);
    this.kind = kind;
  }

  /** Whether `error` is one of these, also when it comes from another bundle. */
  static override is(error: unknown): error is LookupError {
    return DependencyError.is(error) && 'kind' in error && KINDS.some((kind) => kind === error.kind);
  }
}
