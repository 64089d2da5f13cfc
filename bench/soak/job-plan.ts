// What one job does, drawn from the seed before it begins.

import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import type { ClientKind } from './observation.ts';
import { CREDENTIALS } from './policy.ts';

export interface JobPlan {
  readonly credentials: readonly string[];
  readonly lifeMs: number;
  /** Renews as fast as it can, this many requests at once; 0 for a job that renews now and then. */
  readonly hostile: number;
  /** Of each request: which client sends it. */
  readonly client: ClientKind;
  /** Sends the same request several times at once. */
  readonly repeats: boolean;
  /** Releases what it holds before its end. */
  readonly releases: boolean;
  readonly introspects: boolean;
  readonly sendsWrongTokens: boolean;
  /** Requests tokens in the very moment of its end. */
  readonly requestsAtEnd: boolean;
  /** For how long it requests tokens after its end. */
  readonly asksAfterEndMs: number;
  readonly delivery: DeliveryPlan;
}

export interface DeliveryPlan {
  /** When each copy of `job.finished` is sent, in milliseconds after the end. None: the webhook is lost. */
  readonly afterMs: readonly number[];
  /** How often a copy is sent again that did not get a 2xx response. */
  readonly retries: number;
  /** Whether other events arrive, also after the end. */
  readonly otherEvents: boolean;
  readonly forged: boolean;
}

export function planJob(random: SeededRandom, life: { readonly leastMs: number; readonly mostMs: number }): JobPlan {
  const hostile = random.chance(0.01);
  const credentials = hostile
    ? [random.one(CREDENTIALS)]
    : random.pick<readonly string[]>([
        [20, ['shared']],
        [18, ['pooled']],
        [18, ['firestore']],
        [8, ['storage']],
        [6, ['pooled-cache']],
        [4, ['shared-long', 'firestore-long']],
        [10, ['shared', 'firestore', 'storage']],
        [4, ['pooled', 'firestore', 'pooled-cache', 'shared']],
        [2, CREDENTIALS],
      ]);
  return {
    credentials,
    lifeMs: hostile ? 15_000 : random.between(life.leastMs, life.mostMs),
    hostile: hostile ? 6 : 0,
    client: random.pick<ClientKind>([
      [80, 'plain'],
      [8, 'slow'],
      [4, 'unfinished'],
      [8, 'hung_up'],
    ]),
    repeats: random.chance(0.15),
    releases: random.chance(0.12),
    introspects: random.chance(0.15),
    sendsWrongTokens: random.chance(0.1),
    requestsAtEnd: random.chance(0.4),
    asksAfterEndMs: random.chance(0.3) ? random.between(2_000, 60_000) : 0,
    delivery: planDelivery(random),
  };
}

function planDelivery(random: SeededRandom): DeliveryPlan {
  const late = () => random.between(2_000, 60_000);
  return {
    afterMs: random.pick<readonly number[]>([
      [10, []],
      [55, [random.between(0, 800)]],
      [15, [random.between(0, 300), random.between(0, 300)]],
      [12, [late()]],
      [8, [random.between(0, 300), late(), late()]],
    ]),
    retries: random.chance(0.7) ? 5 : 0,
    otherEvents: random.chance(0.1),
    forged: random.chance(0.03),
  };
}
