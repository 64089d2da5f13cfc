// The one error that means "a dependency of Keydesk failed or was too slow": it names the dependency, and becomes a 503.
// A deadline is part of it, because a dependency that does not respond has failed.

import type { FailureCode } from '../core/failure-code.ts';
import type { GoogleCause, GoogleRefusal } from '../core/google-refusal.ts';
import { COLD_DEADLINE_MS } from '../core/timing.ts';
import type { Clock } from './clock.ts';

export class DependencyError extends Error {
  override readonly name = 'DependencyError';
  /** Who failed: "ledger", "iamcredentials", … */
  readonly dependency: string;
  /** What kind of failure it is, for machines. */
  readonly code: FailureCode;
  /** Seconds after which trying again makes sense. */
  readonly retryAfter: number;
  /** It responded that it will not do this: nothing was done, and an immediate retry changes nothing. */
  readonly rejected: boolean;
  /** Why trying again never helps, with the service account it is about; undefined when it may. */
  readonly permanent: (GoogleRefusal & { readonly service_account?: string }) | undefined;

  constructor(
    dependency: string,
    code: FailureCode,
    detail: string,
    options: ErrorOptions & {
      retryAfter?: number | undefined;
      rejected?: boolean;
      permanent?: NonNullable<DependencyError['permanent']>;
    } = {},
  ) {
    super(`${dependency}: ${detail}`, options);
    this.dependency = dependency;
    this.code = code;
    this.retryAfter = options.retryAfter ?? 2;
    this.rejected = options.rejected ?? false;
    this.permanent = options.permanent;
  }

  /** Whether `error` is one of these, also when it comes from another bundle, where the class is another object. */
  static is(error: unknown): error is DependencyError {
    return error instanceof Error && error.name === 'DependencyError';
  }
}

/** Says who failed, of an error of a client library. One that says so itself stays as it is. */
export function toDependencyError(dependency: string, error: unknown): DependencyError {
  if (DependencyError.is(error)) return error;
  return new DependencyError(dependency, rpcCodeOf(error), errorMessage(error), { cause: error });
}

/**
 * What `work` comes to, if it does so within `milliseconds`.
 * @throws DependencyError when it is late or fails; late work goes on unobserved, so it must be safe to complete.
 */
export async function withTimeout<T>(
  {
    clock,
    milliseconds,
    dependency,
  }: { readonly clock: Clock; readonly milliseconds: number; readonly dependency: string },
  work: Promise<T>,
): Promise<T> {
  const done = new AbortController();
  const late = clock.sleep(milliseconds, done.signal).then(() => {
    throw new DependencyError(dependency, 'timed_out', `no response within ${milliseconds} ms`);
  });
  work.catch(() => {});
  late.catch(() => {});
  try {
    return await Promise.race([work, late]);
  } catch (error) {
    throw toDependencyError(dependency, error);
  } finally {
    // A reason of its own, because an abort without one makes an exception with a stack, and this is in every call.
    done.abort('done');
  }
}

/** A {@link withTimeout} of the same calls in one instance. Those that begin before the first has ended have COLD_DEADLINE_MS. */
export function createTimeout(limit: Parameters<typeof withTimeout>[0]): <T>(work: Promise<T>) => Promise<T> {
  let cold = true;
  return async (work) => {
    try {
      return await withTimeout({ ...limit, milliseconds: cold ? COLD_DEADLINE_MS : limit.milliseconds }, work);
    } finally {
      cold = false;
    }
  };
}

/** The same of work that is given up when it is late: it gets a signal, which is aborted once this has come to something. */
export async function withAbortableTimeout<T>(
  limit: Parameters<typeof withTimeout>[0],
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const signal = new AbortController();
  try {
    return await withTimeout(limit, work(signal.signal));
  } finally {
    signal.abort('over');
  }
}

/** What is recorded of a failure. */
export interface FailureFacts {
  /** Who failed, where that is known. */
  readonly dependency?: string;
  /** In words, which may change. */
  readonly error: string;
  readonly code: FailureCode;
  /** Why Google refuses, where trying again does not help. */
  readonly cause?: GoogleCause;
}

export function toFailure(error: unknown): FailureFacts {
  if (!DependencyError.is(error)) return { error: errorMessage(error), code: 'internal_error' };
  const { dependency, message, code, permanent } = error;
  return { dependency, error: message, code, ...(permanent ? { cause: permanent.cause } : {}) };
}

/** google.rpc.Code, as Google's client libraries put it on their errors. */
const RPC_CODES: ReadonlyMap<unknown, FailureCode> = new Map([
  [4, 'timed_out'],
  [7, 'refused'],
  [8, 'rate_limited'],
  [14, 'unreachable'],
]);

function rpcCodeOf(error: unknown): FailureCode {
  const code = error instanceof Error && 'code' in error ? RPC_CODES.get(error.code) : undefined;
  return code ?? 'call_failed';
}

/** What an error says. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : 'failed';
}
