// How many live grants a pipeline's jobs hold, about: counted by Firestore, and remembered for some seconds, so that a
// burst may pass the cap by what it issues meanwhile.

import type { Subject } from '../core/subject/buildkite-job.ts';
import { GRANT_COUNT_CACHE_MS } from '../core/timing.ts';
import type { Database } from '../firestore/database.ts';
import type { Clock } from '../runtime/clock.ts';

const MAX_CACHED = 1000;

export function createPipelineGrantCounter(ledger: Database, clock: Clock): (subject: Subject) => Promise<number> {
  const counts = new Map<string, { readonly at: number; readonly count: Promise<number> }>();
  const count = async (pipeline_slug: string) => {
    const grants = ledger.collection('grants').where('subject.pipeline_slug', '==', pipeline_slug);
    return (await grants.where('state', 'in', ['issuing', 'active']).count().get()).data().count;
  };
  // By the slug, which every job token has: a job may leave its pipeline's id out.
  return ({ pipeline_slug }) => {
    const known = counts.get(pipeline_slug);
    if (known && clock.now() - known.at < GRANT_COUNT_CACHE_MS) return known.count;
    const pending = count(pipeline_slug);
    if (counts.size >= MAX_CACHED) counts.clear();
    counts.set(pipeline_slug, { at: clock.now(), count: pending });
    pending.catch(() => counts.delete(pipeline_slug));
    return pending;
  };
}
