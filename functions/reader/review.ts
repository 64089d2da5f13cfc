// `GET /review` and `GET /policies/SHA256`: what a review needs apart from the pages of grants.

import { auditEvent } from '../../shared/audit/events.ts';
import { toIso, toIsoOrNull } from '../../shared/core/iso-time.ts';
import type { READER_ROUTES } from '../../shared/core/operator-api/reader.ts';
import { toActView } from '../../shared/core/operator-api/review.ts';
import { DependencyError } from '../../shared/runtime/errors.ts';
import type { ReaderClients } from '../../shared/wiring/reader.ts';
import type { Failure, PrivateHandlers } from '../runtime/private-handler.ts';
import { toLedgerTime } from './ledger-time.ts';

type Handlers = PrivateHandlers<typeof READER_ROUTES>;

export function createGetReview(loadClients: () => Promise<ReaderClients>): Handlers['getReview'] {
  return async ({ actor, query: { as_of, from, to } }) => {
    const period = { as_of: toLedgerTime(as_of), from: Date.parse(from), to: Date.parse(to) };
    if (period.from >= period.to) return invalid('invalid_request', '`from` must be before `to`.');
    const { readerLedger } = await loadClients();
    const records = await readerLedger.reviewRecords(period).catch((error: unknown) => {
      if (isStateNotKept(error)) return error;
      throw error;
    });
    if (records instanceof Error)
      return invalid(
        'as_of_refused',
        `The ledger cannot be read as of ${as_of}: ${records.message}. Firestore keeps a state for an hour. Read the grants again, and take their \`as_of\`.`,
      );
    return {
      body: {
        as_of,
        acts: records.acts.map(({ id, act }) => toActView(id, act)),
        unreadable_acts: [...records.unreadableActs],
        policies: records.policies.map(({ sha256, first_used_at, last_started_at }) => ({
          sha256,
          first_used_at: toIso(first_used_at),
          last_started_at: toIso(last_started_at),
        })),
        unreadable_policies: [...records.unreadablePolicies],
        first_grant_at: toIsoOrNull(records.firstGrantAt),
      },
      auditEvents: [auditEvent('operator.read', { actor, operation: 'getReview', about: `from ${from}, to ${to}` })],
    };
  };
}

export function createGetPolicy(loadClients: () => Promise<ReaderClients>): Handlers['getPolicy'] {
  return async ({ actor, params: { sha256 = '' } }) => {
    if (!/^[0-9a-f]{64}$/.test(sha256))
      return invalid('invalid_request', 'The path ends with a SHA-256: 64 hex digits, in lower case.');
    const { deploymentLedger } = await loadClients();
    const stored = await deploymentLedger.policy(sha256).catch((error: unknown) => {
      if (DependencyError.is(error) && error.code === 'unreadable_record') return error;
      throw error;
    });
    const auditEvents = [auditEvent('operator.read', { actor, operation: 'getPolicy', about: sha256 })];
    if (stored instanceof Error)
      return { status: 409, error: 'unreadable_record', description: stored.message, auditEvents };
    if (!stored)
      return {
        status: 404,
        error: 'not_found',
        description: `The text of policy ${sha256} is not on record. It is kept for 500 days after the last start with it.`,
        auditEvents,
      };
    const { text, first_used_at, last_started_at } = stored;
    return {
      body: {
        sha256,
        text,
        first_used_at: toIso(first_used_at),
        last_started_at: toIso(last_started_at),
      },
      auditEvents,
    };
  };
}

/** Firestore's INVALID_ARGUMENT for a time in the future, FAILED_PRECONDITION for one that is too long ago. */
function isStateNotKept(error: unknown): error is DependencyError {
  const cause = DependencyError.is(error) ? error.cause : undefined;
  return cause instanceof Error && 'code' in cause && (cause.code === 3 || cause.code === 9);
}

function invalid(error: string, description: string): Failure {
  return { status: 400, error, description };
}
