// Reads the claims of a job from what people have of it: the payload of its job token or the token itself, the lines that the plugin
// prints, or a line of the audit log. Nothing is verified.

import { isMatchableClaim, type JobClaims, MATCHABLE_CLAIMS, parseClaims } from '../policy/claims.ts';
import { formatDuration } from '../policy/duration.ts';
import { PLACEHOLDER_CLAIMS } from '../policy/explain.ts';
import type { Policy } from '../policy/policy.ts';
import { visible } from '../policy/visible-text.ts';
import { type AuditLine, parseJsonObjects, toAuditLine } from './audit-line.ts';

/** What a text says of a job. */
export interface StatedJob {
  readonly claims: Readonly<Record<string, unknown>>;
  /** Of a line of the audit log. */
  readonly line?: AuditLine;
  /** Claims that the token may have or lack: the text does not say. */
  readonly unknown: readonly string[];
}

/** @returns also what is wrong, as a sentence */
export function readStatedJob(text: string): StatedJob | { problem: string } {
  const source = text.trim();
  if (source === '') return { problem: 'It is empty.' };
  const token = /^[A-Za-z0-9_-]+\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]*$/.exec(source)?.[1];
  const decoded = token === undefined ? source : Buffer.from(token, 'base64url').toString('utf8');
  const objects = parseJsonObjects(decoded);
  if (objects === undefined) return token === undefined ? fromLines(source) : { problem: 'It is not a job token.' };
  if (objects.length !== 1) return { problem: `It holds ${objects.length} objects. Give one.` };
  const [object] = objects;
  const line = toAuditLine(object);
  if (line) return fromAuditLine(line);
  if (!isRecord(object) || !Object.keys(object).some((name) => CLAIM_NAMES.has(name)))
    return { problem: 'It has none of the claims of a job token.' };
  return { claims: object, unknown: [] };
}

const CLAIM_NAMES: ReadonlySet<string> = new Set(['organization_slug', ...MATCHABLE_CLAIMS]);

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** `NAME=VALUE` on each line, as the plugin prints them. */
function fromLines(source: string): StatedJob | { problem: string } {
  const claims: Record<string, string> = {};
  for (const written of source.split('\n')) {
    const line = written.trim();
    const [, name = '', value = ''] = /^(?:--claim )?([a-z_]+(?::[A-Za-z0-9_.-]+)?)=(.*)$/.exec(line) ?? [];
    if (line === '' || line === 'Claims of this job:') continue;
    if (!isMatchableClaim(name) && name !== 'organization_slug')
      return {
        problem: `It is not JSON, and this line is not NAME=VALUE with the name of a claim: ${visible(line).slice(0, 120)}`,
      };
    if (Object.hasOwn(claims, name)) return { problem: `It has ${name} twice.` };
    claims[name] = value;
  }
  return { claims, unknown: [] };
}

function fromAuditLine(line: AuditLine): StatedJob | { problem: string } {
  if (line.job) return { claims: line.job, line, unknown: [] };
  const { event, reason = 'not known' } = line;
  if (event === 'grant.refused')
    return {
      problem: `It is a refusal without the claims of a job. Its reason is ${visible(reason)}. To explain it, run: keydesk explain --log FILE`,
    };
  const compared = new Map(
    (line.trace ?? []).flatMap(({ checks }) => checks.map(({ claim, value }) => [claim, value] as const)),
  );
  const claims = Object.fromEntries(
    Object.entries({ ...Object.fromEntries(compared), ...line }).filter(([name]) => isClaim(name)),
  );
  if (typeof claims.job_id !== 'string' || typeof claims.pipeline_slug !== 'string')
    return { problem: `It is a line of ${visible(event)}, which has no claims of a job.` };
  return { claims, line, unknown: MATCHABLE_CLAIMS.filter((name) => !Object.hasOwn(claims, name)) };
}

function isClaim(name: string): boolean {
  return CLAIM_NAMES.has(name) || isMatchableClaim(name);
}

/**
 * The claims as Keydesk reads them. What the text leaves out is taken as absent, and the organization's slug is the policy's.
 * @returns also what keeps such a job token from being accepted, in sentences
 */
export function toJobClaims(
  policy: Policy,
  { claims }: StatedJob,
): { claims: JobClaims; refusedFirst: { reason: string; text: string }[] } | { problems: string[] } {
  const given = Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== null && value !== ''));
  const missing = Object.keys(PLACEHOLDER_CLAIMS).flatMap((claim) => {
    const rule = policy.rules.find(({ match }) => Object.hasOwn(match, claim));
    if (!rule || Object.hasOwn(given, claim)) return [];
    return [`${claim} is missing: every job token has it, and rule ${JSON.stringify(rule.name)} looks at it.`];
  });
  if (missing.length > 0) return { problems: missing };
  const { build_number } = given;
  const parsed = parseClaims({
    ...PLACEHOLDER_CLAIMS,
    organization_slug: policy.organization.slug,
    ...given,
    ...(typeof build_number === 'string' ? { build_number: Number(build_number) } : {}),
  });
  if ('invalidClaim' in parsed)
    return {
      problems: [
        `${visible(parsed.invalidClaim)} has a value that Buildkite does not make. Keydesk refuses such a job token with job_token_claim_invalid.`,
      ],
    };
  return {
    claims: parsed.claims,
    refusedFirst: [...organizationProblems(policy, parsed.claims), ...tokenProblems(policy, given)],
  };
}

function organizationProblems({ organization: { slug, id } }: Policy, claims: JobClaims) {
  const { organization_slug, organization_id } = claims;
  const reason = 'job_token_organization_wrong';
  if (organization_slug !== slug)
    return [
      {
        reason,
        text: `The job is of the organization ${visible(organization_slug)}, and the policy accepts only ${slug}.`,
      },
    ];
  if (id !== undefined && organization_id !== undefined && organization_id !== id)
    return [{ reason, text: `The job's organization_id is ${organization_id}, and the policy accepts only ${id}.` }];
  return [];
}

/** Of the payload of a token. */
function tokenProblems(
  { audience, maxJobTokenLifetime }: Policy,
  { aud, exp, iat }: Readonly<Record<string, unknown>>,
) {
  const problems: { reason: string; text: string }[] = [];
  if (aud !== undefined && aud !== audience)
    problems.push({
      reason: 'job_token_audience_wrong',
      text: `The job token has the audience ${visible(String(aud)).slice(0, 200)}. Request it with --audience ${audience}.`,
    });
  if (typeof exp === 'number' && typeof iat === 'number' && exp - iat > maxJobTokenLifetime)
    problems.push({
      reason: 'job_token_lifetime_too_long',
      text: `The job token lives ${formatDuration(exp - iat)}, and the policy allows ${formatDuration(maxJobTokenLifetime)}. Request it with --lifetime ${maxJobTokenLifetime} or less.`,
    });
  return problems;
}
