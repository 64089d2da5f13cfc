// The audit lines of the operator's command, which is a process of its own.

import { afterAll, beforeAll, expect, it } from 'vitest';
import { type InProcessKeydesk, openInProcessKeydesk } from '../fixtures/in-process-keydesk.ts';
import { runKill } from '../fixtures/operator.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);

let keydesk: InProcessKeydesk;
beforeAll(async () => {
  keydesk = await openInProcessKeydesk();
});
afterAll(() => keydesk.close());

const linesOf = async (...args: readonly string[]) =>
  JSON.parse(`[${(await runKill(keydesk, ...args)).trim().replaceAll('\n', ',')}]`) as Record<string, unknown>[];
const operated = (event: string) => ({ event, severity: 'NOTICE', 'logging.googleapis.com/labels': { event } });

it('kill_switch.activated and kill_switch.deactivated record what an operator did, outside of any request', async () => {
  const job = keydesk.buildkite.startJob();
  await keydesk.requestByPath(await keydesk.buildkite.jobToken(job));
  const since = '2026-01-01T00:00:00.000Z';
  const who = ['--actor', 'ada@acme.example', '--reason', 'INC-7'];
  const [thrown, ...ended] = await linesOf('--job-id', job.id, '--since', since, '--block', ...who);
  const kill_switch_id = String(thrown?.kill_switch_id);
  expect(kill_switch_id).toEqual(UUID);
  expect(thrown).toEqual({
    ...operated('kill_switch.activated'),
    message: `kill switch ${kill_switch_id} activated by ada@acme.example: job_id=${job.id}, since ${since}`,
    kill_switch_id,
    selector: { job_id: job.id, issued_since: since },
    actor: 'ada@acme.example',
    reason: 'INC-7',
    blocks_new: true,
  });
  expect(ended).toMatchObject([{ event: 'grant.revoked', job_id: job.id, kill_switch_id }]);

  expect(await linesOf('--unblock', kill_switch_id, '--actor', 'grace@acme.example')).toEqual([
    {
      ...operated('kill_switch.deactivated'),
      message: `kill switch ${kill_switch_id} deactivated by grace@acme.example`,
      kill_switch_id,
      actor: 'grace@acme.example',
    },
  ]);
});
