// Reads what a review needs of the ledger through `reader`: all of it as the ledger was at one time, and the texts of policies.

import type { GrantList } from '../../shared/core/operator-api/grant-list.ts';
import type { ReviewRecords } from '../../shared/core/operator-api/review.ts';
import { parsePolicyText } from '../../shared/core/policy/parse-yaml.ts';
import type { ReviewPeriod } from '../../shared/core/review/input.ts';
import { type PolicyInForce, type PolicyText, policiesInForce } from '../../shared/core/review/policies-in-force.ts';
import { type Population, toPopulation } from '../../shared/core/review/population.ts';
import { type ReaderApi, readAllGrants } from '../grants/pages.ts';
import { Refused } from '../operator-api.ts';
import { note } from '../terminal.ts';

/** An act may end grants for some time after it was made, also when it is resumed. */
const ACT_MARGIN_MS = 30 * 86_400_000;

export interface LedgerState {
  readonly asOf: { readonly text: string; readonly at: number };
  readonly population: Population;
  readonly unreadable: GrantList['unreadable'];
  readonly unknownNames: GrantList['unknown'];
  readonly records: ReviewRecords;
  readonly policies: readonly PolicyInForce[];
  readonly texts: ReadonlyMap<string, PolicyText>;
}

/** @throws Refused */
export async function readLedger(
  call: ReaderApi,
  { from, to }: ReviewPeriod,
  environment: string | undefined,
): Promise<LedgerState> {
  const period = { from: new Date(from).toISOString(), to: new Date(to).toISOString() };
  const { as_of, grants, unreadable, unknown } = await readAllGrants(call, { ...period, environment, state: 'all' });
  const asOf = { text: as_of, at: Date.parse(as_of) };
  const population = toPopulation(grants, asOf.at);
  const since = new Date(Math.max(0, from - ACT_MARGIN_MS)).toISOString();
  const records = await call('getReview', { query: { as_of, from: since, to: period.to } });
  const policies = policiesInForce(records.policies, population.rows, { from, to });
  const texts = new Map<string, PolicyText>();
  for (const { sha256 } of policies) {
    texts.set(sha256, await readText(call, sha256));
    if (process.stderr.isTTY) note(`${texts.size} of ${policies.length} policies ...`);
  }
  return { asOf, population, unreadable, unknownNames: unknown.filter(isUnknownIn(texts)), records, policies, texts };
}

/** An environment that an earlier policy had is known. */
function isUnknownIn(texts: ReadonlyMap<string, PolicyText>) {
  const policies = [...texts.values()].flatMap((text) => ('policy' in text ? [text.policy] : []));
  return ({ value }: GrantList['unknown'][number]) => !policies.some(({ environments }) => value in environments);
}

async function readText(call: ReaderApi, sha256: string): Promise<PolicyText> {
  try {
    const { text } = await call('getPolicy', { params: { sha256 } });
    const read = parsePolicyText(text);
    if (!('policy' in read)) return { problem: 'invalid', detail: read.problems[0]?.message ?? '' };
    if (read.sha256 !== sha256) return { problem: 'unreadable', detail: `its text has the SHA-256 ${read.sha256}` };
    return { policy: read.policy };
  } catch (error) {
    if (error instanceof Refused && error.code === 'not_found') return { problem: 'missing', detail: error.message };
    if (error instanceof Refused && error.code === 'unreadable_record')
      return { problem: 'unreadable', detail: error.message };
    throw error;
  }
}
