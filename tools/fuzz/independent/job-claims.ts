// Whether a job token's claims are acceptable, by the contract and by hand: no schema of the product is here.

import type { Claims } from './signed-token.ts';

const UUIDS = ['organization_id', 'pipeline_id', 'build_id', 'cluster_id', 'queue_id'];
const TEXTS: Readonly<Record<string, number>> = {
  build_tag: 1024,
  build_source: 64,
  step_key: 1024,
  runner_environment: 64,
  cluster_name: 256,
  queue_key: 256,
};
const NEEDED: Readonly<Record<string, number>> = {
  organization_slug: 256,
  pipeline_slug: 256,
  build_branch: 1024,
  build_commit: 256,
};

export interface Expected {
  readonly issuer: string;
  readonly audience: string;
  readonly organization: { readonly slug: string; readonly id: string };
  readonly maxLifetime: number;
  /** Seconds since the epoch. */
  readonly now: number;
}

/** The claims that a rule may name, in lower case where they are UUIDs; undefined for a token that must be refused. */
export function acceptedClaims(claims: Claims, expected: Expected): Record<string, unknown> | undefined {
  const { iss, aud, exp, iat, nbf } = claims;
  if (iss !== expected.issuer || aud !== expected.audience) return undefined;
  if (![exp, iat, nbf].every(Number.isSafeInteger)) return undefined;
  const [end, issued, from] = [exp, iat, nbf].map(Number) as [number, number, number];
  if (end + 10 <= expected.now || issued > expected.now + 90 || from > expected.now + 90) return undefined;
  if (end <= issued || end - issued > expected.maxLifetime) return undefined;
  const accepted: Record<string, unknown> = {};
  for (const name of ['job_id', 'agent_id', ...UUIDS]) {
    const value = isNone(claims[name]) && UUIDS.includes(name) ? undefined : claims[name];
    if (value === undefined && UUIDS.includes(name)) continue;
    if (typeof value !== 'string' || !isUuid(value)) return undefined;
    accepted[name] = value.toLowerCase();
  }
  for (const [name, longest] of [...Object.entries(NEEDED), ...Object.entries(TEXTS)]) {
    if (name in TEXTS && isNone(claims[name])) continue;
    if (!isText(claims[name], longest)) return undefined;
    accepted[name] = claims[name];
  }
  const number = claims.build_number;
  if (!Number.isSafeInteger(number) || Number(number) < 1) return undefined;
  accepted.build_number = number;
  for (const [name, value] of Object.entries(claims)) {
    if (!/^agent_tag:[A-Za-z0-9_.-]{1,128}$/.test(name) || value === null || value === '') continue;
    if (!isText(value, 1024)) return undefined;
    accepted[name] = value;
  }
  if (accepted.organization_slug !== expected.organization.slug) return undefined;
  const { organization_id } = accepted;
  return organization_id === undefined || organization_id === expected.organization.id ? accepted : undefined;
}

function isNone(value: unknown): boolean {
  return value === undefined || value === null || value === '';
}

function isUuid(text: string): boolean {
  const parts = text.split('-');
  return [8, 4, 4, 4, 12].join() === parts.map(({ length }) => length).join() && /^[0-9a-fA-F]+$/.test(parts.join(''));
}

/** No control character, and no half of a pair. */
function isText(value: unknown, longest: number): value is string {
  if (typeof value !== 'string' || value === '' || value.length > longest) return false;
  return [...value].every((character) => {
    const code = character.codePointAt(0) ?? 0;
    const isControl = code < 0x20 || (code >= 0x7f && code < 0xa0) || code === 0x2028 || code === 0x2029;
    return !isControl && !(code >= 0xd800 && code < 0xe000);
  });
}
