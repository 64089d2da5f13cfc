// What the jobs of one day are going to do and what becomes of the messages that they finished: drawn from a seed before
// anything happens. Knows nothing of Keydesk but the names of its credentials.

import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import type { CredentialName } from './setting.ts';

export const MINUTE = 60_000;
const LONGEST_JOB = 40;

type Message = 'prompt' | 'lost' | 'doubled' | 'delayed';

/** Times are milliseconds since the epoch. */
export interface JobPlan {
  readonly startsAt: number;
  readonly endsAt: number;
  readonly wants: readonly CredentialName[];
  readonly message: Message;
  /** When the message that it finished arrives, and arrives again. */
  readonly arrivesAt: readonly number[];
  /** Whether it now and then lets its tokens expire before it asks again. */
  readonly idles: boolean;
  /** When something that it left running asks once more. */
  readonly asksAfterEndAt: number | undefined;
  /** When it returns what it has, although it runs on. */
  readonly returnsAt: number | undefined;
}

/** @param day.longestTtl milliseconds; a delayed message arrives when tokens of that life have expired */
export function planDay(
  random: SeededRandom,
  day: { readonly jobs: number; readonly start: number; readonly hours: number; readonly longestTtl: number },
): JobPlan[] {
  const plans: JobPlan[] = [];
  const length = day.hours * 60 * MINUTE;
  while (plans.length < day.jobs) {
    // A push starts several jobs at once; most come around midday.
    const at = day.start + (length * (random.next() + random.next())) / 2;
    const atOnce = Math.min(random.between(1, 8), day.jobs - plans.length);
    for (let job = 0; job < atOnce; job += 1) plans.push(planJob(random, toSecond(at), day.longestTtl));
  }
  return plans;
}

function planJob(random: SeededRandom, startsAt: number, longestTtl: number): JobPlan {
  const endsAt = startsAt + random.between(60, LONGEST_JOB * 60) * 1000;
  const wants = random.pick<readonly CredentialName[]>([
    [3, ['config']],
    [3, ['admin']],
    [2, ['export']],
    [2, ['config', 'admin', 'export']],
  ]);
  const message = random.pick<Message>([
    [6, 'prompt'],
    [1, 'lost'],
    [1, 'doubled'],
    [2, 'delayed'],
  ]);
  const delay = message === 'delayed' ? longestTtl + random.between(60, 3600) * 1000 : random.between(1, 5) * 1000;
  const arrivesAt = message === 'lost' ? [] : [endsAt + delay];
  // Half of the second ones arrive together with the first.
  if (message === 'doubled') arrivesAt.push(endsAt + delay + (random.chance(0.5) ? 0 : random.between(1, 600) * 1000));
  return {
    startsAt,
    endsAt,
    wants,
    message,
    arrivesAt,
    idles: random.chance(0.15),
    asksAfterEndAt: random.chance(0.2) ? endsAt + random.between(0, 290) * 1000 : undefined,
    returnsAt: random.chance(0.05) ? startsAt + toSecond((endsAt - startsAt) * random.next()) : undefined,
  };
}

function toSecond(milliseconds: number): number {
  return Math.round(milliseconds / 1000) * 1000;
}
