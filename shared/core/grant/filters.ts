// Which grants somebody looks for. All that is given must fit. Times are milliseconds since the epoch.

import { isPooledGrant } from '../kinds/pooled-service-account.ts';
import type { GRANT_STATES, Grant } from './grant.ts';

export interface GrantFilters {
  readonly pipeline_id?: string | undefined;
  readonly pipeline_slug?: string | undefined;
  readonly build_branch?: string | undefined;
  readonly credential?: string | undefined;
  readonly environment?: string | undefined;
  /** Whose tokens it has, or had under an earlier lease. */
  readonly account?: string | undefined;
  /** Of its latest tokens, or of earlier ones that may still be accepted. */
  readonly approved_by?: string | undefined;
  readonly job_id?: string | undefined;
  /** Of a token that is on record. */
  readonly token_sha256?: string | undefined;
  /** One of these; undefined for all. */
  readonly states?: readonly (typeof GRANT_STATES)[number][] | undefined;
  /** It could be used at this time or later. */
  readonly from?: number | undefined;
  /** It could be used before this time. */
  readonly to?: number | undefined;
}

export function fitsFilters(grant: Grant, filters: GrantFilters): boolean {
  const { subject, credential, environment, state, tokens } = grant;
  const wanted: readonly (readonly [string | null, string | undefined])[] = [
    [subject.id, filters.job_id],
    [subject.pipeline_id, filters.pipeline_id],
    [subject.pipeline_slug, filters.pipeline_slug],
    [subject.build_branch, filters.build_branch],
    [credential, filters.credential],
    [environment, filters.environment],
  ];
  if (wanted.some(([value, demanded]) => demanded !== undefined && value !== demanded)) return false;
  if (filters.approved_by !== undefined && !approversOf(grant).includes(filters.approved_by)) return false;
  if (filters.states && !filters.states.includes(state)) return false;
  if (filters.account !== undefined && !accountsOfGrant(grant).includes(filters.account)) return false;
  if (filters.token_sha256 !== undefined && !tokens.some(({ sha256 }) => sha256 === filters.token_sha256)) return false;
  return couldBeUsed(grant, filters);
}

/**
 * Whether the grant's access overlaps the period. It begins when the grant was created. While its end is not on record, it counts until the
 * last token expires. A grant that had expired and was requested again counts through.
 */
function couldBeUsed({ created_at, access_ended_at, expires_at }: Grant, { from, to }: GrantFilters): boolean {
  return (to === undefined || created_at < to) && (from === undefined || (access_ended_at ?? expires_at) >= from);
}

function approversOf({ conditions, superseded }: Grant): (string | null | undefined)[] {
  return [conditions?.approval?.approved_by, ...superseded.map(({ approved_by }) => approved_by)];
}

function accountsOfGrant(grant: Grant): string[] {
  const past = isPooledGrant(grant) ? grant.past_leases.map(({ service_account }) => service_account) : [];
  return 'service_account' in grant ? [grant.service_account, ...past] : past;
}
