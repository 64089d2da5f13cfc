// The pipelines of a review: those that policies name, and those of grants. A pipeline is its UUID; its slug can change. One is known by its
// slug alone where no job token had a UUID, or where a rule names no more.

import type { PolicyInForce, PolicyText } from './policies-in-force.ts';
import type { GrantRow } from './row.ts';

export interface Pipeline {
  readonly id: string | null;
  /** That its grants had. */
  readonly slugs: readonly string[];
  /** In `pipelines` of policies. */
  readonly names: readonly string[];
  /** Whether it has grants without a `pipeline_id`. */
  readonly lacks_id: boolean;
}

interface Found {
  readonly id: string | null;
  readonly slugs: Set<string>;
  readonly names: Set<string>;
  lacksId: boolean;
}

export function pipelinesOf(
  rows: readonly GrantRow[],
  policies: readonly PolicyInForce[],
  texts: ReadonlyMap<string, PolicyText>,
): Pipeline[] {
  const byId = new Map<string, Found>();
  const bySlug = new Map<string, Found>();
  const take = (all: Map<string, Found>, key: string, id: string | null): Found => {
    const found = all.get(key) ?? { id, slugs: new Set(), names: new Set(), lacksId: false };
    all.set(key, found);
    return found;
  };
  for (const { job } of rows) {
    const slug = `${job.pipeline_slug}`;
    if (job.pipeline_id) take(byId, `${job.pipeline_id}`, `${job.pipeline_id}`).slugs.add(slug);
    else {
      const found = take(bySlug, slug, null);
      found.slugs.add(slug);
      found.lacksId = true;
    }
  }
  const literal = (patterns: readonly string[] = []) => patterns.filter((pattern) => !pattern.includes('*'));
  for (const { sha256 } of policies) {
    const text = texts.get(sha256);
    if (!text || 'problem' in text) continue;
    for (const [name, id] of Object.entries(text.policy.pipelines)) take(byId, id, id).names.add(name);
    for (const { match } of text.policy.rules) {
      for (const id of literal(match.pipeline_id)) take(byId, id, id);
      for (const slug of literal(match.pipeline_slug))
        if (![...byId.values()].some(({ slugs }) => slugs.has(slug))) take(bySlug, slug, null).slugs.add(slug);
    }
  }
  return [...byId.values(), ...bySlug.values()]
    .map(({ id, slugs, names, lacksId }) => ({
      id,
      slugs: [...slugs].sort(),
      names: [...names].sort(),
      lacks_id: lacksId,
    }))
    .sort((one, other) => (titleOf(one) < titleOf(other) ? -1 : 1));
}

/** Its name in the policy, else its slug, else its UUID. */
export function titleOf({ id, slugs, names }: Pipeline): string {
  return names[0] ?? slugs[0] ?? id ?? '';
}

/** The same for a pipeline and its grants; no UUID is a slug. */
export function keyOf({ id, slugs }: Pipeline): string {
  return id ?? slugs[0] ?? '';
}

export function pipelineKeyOf({ job }: Pick<GrantRow, 'job'>): string {
  return `${job.pipeline_id ?? job.pipeline_slug}`;
}
