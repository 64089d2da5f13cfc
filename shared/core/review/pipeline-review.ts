// For each pipeline: what it could reach, what it did get, what it never used, and what it did touch.

import type { ReviewInput } from './input.ts';
import { keyOf, type Pipeline, pipelineKeyOf, pipelinesOf } from './pipelines.ts';
import { type ReachableCredential, reachOf, type readablePolicies } from './reach.ts';
import type { GrantRow } from './row.ts';
import type { TouchedCredential } from './touches.ts';

export interface PipelineReview {
  readonly pipeline: Pipeline;
  readonly could_reach: readonly ReachableCredential[];
  readonly got: readonly {
    readonly credential: string;
    readonly environment: string;
    readonly grants: number;
    readonly tokens_issued: number;
    readonly first_created_at: string;
    readonly last_created_at: string;
    readonly rules: readonly string[];
  }[];
  /** Credentials that it could reach, and got no token for in the period. */
  readonly never_used: readonly string[];
  /** Null: not known. */
  readonly touched: readonly TouchedCredential[] | null;
}

/** Those that could reach something, or got something. */
export function pipelineReviews(input: ReviewInput, readable: ReturnType<typeof readablePolicies>): PipelineReview[] {
  const { population, policies, texts, touches, environment } = input;
  const grants = Map.groupBy(
    population.rows.filter(({ issued_at }) => issued_at !== null),
    pipelineKeyOf,
  );
  return pipelinesOf(population.rows, policies, texts)
    .map((pipeline) => {
      const could_reach = reachOf(pipeline, readable, environment);
      const got = gotOf(grants.get(keyOf(pipeline)) ?? []);
      const used = new Set(got.map(({ credential }) => credential));
      return {
        pipeline,
        could_reach,
        got,
        never_used: could_reach.map(({ credential }) => credential).filter((name) => !used.has(name)),
        touched: touches ? (touches.found.byPipeline.get(keyOf(pipeline)) ?? []) : null,
      };
    })
    .filter(({ could_reach, got }) => could_reach.length > 0 || got.length > 0);
}

function gotOf(rows: readonly GrantRow[]): PipelineReview['got'] {
  return [...Map.groupBy(rows, ({ environment, credential }) => JSON.stringify([credential, environment]))]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([key, group]) => {
      const [credential, environment] = JSON.parse(key) as [string, string];
      const created = group.map(({ created_at }) => created_at).sort();
      return {
        credential,
        environment,
        grants: group.length,
        tokens_issued: group.reduce((sum, { tokens_issued }) => sum + tokens_issued, 0),
        first_created_at: created[0] ?? '',
        last_created_at: created.at(-1) ?? '',
        rules: [...new Set(group.map(({ rule }) => rule))].sort(),
      };
    });
}
