// The audit lines of the operator's command, which is a process of its own.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type InProcessDesk, openInProcessDesk } from '../fixtures/in-process-desk.ts';
import { runKill } from '../fixtures/operator.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

let desk: InProcessDesk;
beforeAll(async () => {
  desk = await openInProcessDesk();
});
afterAll(() => desk.close());

const linesOf = async (...args: readonly string[]) =>
  JSON.parse(`[${(await runKill(desk, ...args)).trim().replaceAll('\n', ',')}]`) as Record<string, unknown>[];
const operated = (event: string) => ({ event, severity: 'NOTICE', 'logging.googleapis.com/labels': { event } });

it('kill_switch.thrown and kill_switch.lifted tell what an operator did, outside of any request', async () => {
  const job = desk.buildkite.startJob();
  await desk.askByPath(await desk.buildkite.jobToken(job));
  const since = '2026-01-01T00:00:00.000Z';
  const who = ['--by', 'ada@acme.example', '--reason', 'INC-7'];
  const [thrown, ...ended] = await linesOf('--job', job.id, '--since', since, '--bar', ...who);
  const kill_switch = String(thrown?.kill_switch);
  expect(kill_switch).toEqual(UUID);
  expect(thrown).toEqual({
    ...operated('kill_switch.thrown'),
    message: `kill switch ${kill_switch} thrown by ada@acme.example: job_id=${job.id}, since ${since}`,
    kill_switch,
    selector: { job_id: job.id, since_at: since },
    by: 'ada@acme.example',
    reason: 'INC-7',
    bars: true,
  });
  expect(ended).toMatchObject([{ event: 'grant.revoked', job_id: job.id, kill_switch }]);

  expect(await linesOf('--lift', kill_switch, '--by', 'grace@acme.example')).toEqual([
    {
      ...operated('kill_switch.lifted'),
      message: `kill switch ${kill_switch} lifted by grace@acme.example`,
      kill_switch,
      by: 'grace@acme.example',
    },
  ]);
});
