// What an audit event says of the claims of a job token. A line that was too long lacks some of them, and has others cut.

/** The claims of one job token, as far as they are known. */
export interface KnownClaims {
  /** The value of a claim; null when the token lacks it; undefined when that is not known. */
  get(claim: string): string | null | undefined;
}

/** What the logger writes in place of text with the form of a token. */
const REDACTED = '[token]';
/** A line that is too long has texts of this length at most. */
const CUT_AT = 256;

/**
 * @param job the claims in an event, which has all of the token's
 * @param truncated whether the line was cut
 */
export function claimsOfEvent(job: Readonly<Record<string, unknown>>, truncated: boolean): KnownClaims {
  return {
    get: (claim) => {
      const value = Object.hasOwn(job, claim) ? job[claim] : undefined;
      if (value === undefined || value === null) return truncated ? undefined : null;
      const text = String(value);
      return text.includes(REDACTED) || (truncated && text.length >= CUT_AT) ? undefined : text;
    },
  };
}
