// One day of a thousand jobs, printed: `npm run simulate`, and in `npm run test:deep`. From a seed that is printed and,
// unless KEYDESK_SEED names one, new each time; KEYDESK_JOBS and KEYDESK_HOURS make it smaller.

import { randomInt } from 'node:crypto';
import { expect, it } from 'vitest';
import { playDay } from './day.ts';
import { reportDay } from './day-report.ts';

const { KEYDESK_JOBS, KEYDESK_HOURS, KEYDESK_SEED } = process.env;
const jobs = Number(KEYDESK_JOBS ?? 1_000);
const hours = Number(KEYDESK_HOURS ?? 24);
const seed = Number(KEYDESK_SEED ?? randomInt(2 ** 31));

it(`keeps every promise on a day of ${jobs} jobs in ${hours} h, seed ${seed}`, async () => {
  const day = await playDay({ jobs, hours, seed });
  process.stdout.write(`\n${reportDay(day)}\n`);
  expect(day.held.length).toBeGreaterThan(jobs / 2);
}, 3_600_000);
