// How many live grants a pipeline's jobs hold, about: counted by Firestore, and remembered for some seconds, so that a
// burst may pass the cap by what it issues meanwhile.

import type { Firestore } from '@google-cloud/firestore';
import type { JobClaims } from '../core/claims.ts';

const REMEMBERED_MS = 10_000;
const MAX_REMEMBERED = 1000;

/** @param now milliseconds since the epoch */
export function createLiveGrantCounter(ledger: Firestore, now: () => number): (claims: JobClaims) => Promise<number> {
  const counts = new Map<string, { readonly at: number; readonly count: Promise<number> }>();
  const count = async (field: 'pipeline_id' | 'pipeline_slug', value: string) => {
    const grants = ledger.collection('grants').where(field, '==', value).where('state', 'in', ['issuing', 'active']);
    return (await grants.count().get()).data().count;
  };
  return ({ pipeline_id, pipeline_slug }) => {
    const pipeline = pipeline_id ?? pipeline_slug;
    const known = counts.get(pipeline);
    if (known && now() - known.at < REMEMBERED_MS) return known.count;
    const counting = count(pipeline_id === undefined ? 'pipeline_slug' : 'pipeline_id', pipeline);
    if (counts.size >= MAX_REMEMBERED) counts.clear();
    counts.set(pipeline, { at: now(), count: counting });
    counting.catch(() => counts.delete(pipeline));
    return counting;
  };
}
