// Buildkite's directory of teams cannot be read for an hour: what is granted meanwhile, what `status` says of it, and what goes on as ever.

import { afterEach, describe, expect, it } from 'vitest';
import { PIPELINE_ID } from '../fixtures/policies.ts';
import {
  bob,
  copyOf,
  keydesk,
  linesNamed,
  MINUTE,
  newJob,
  nextSweep,
  open,
  PLATFORM,
  requested,
  unblock,
} from './teams-keydesk.ts';

afterEach(() => keydesk.close());

describe('a directory that cannot be read for an hour', () => {
  it('is used until it is too old; then what needs it is refused, and all else is granted', async () => {
    await open();
    await keydesk.sweep();
    keydesk.buildkite.teams.before = () => ({ status: 503 });
    const severities: (string | undefined)[] = [];
    const granted: unknown[] = [];
    for (let minute = 1; minute <= 62; minute += 1) {
      const swept = await nextSweep();
      severities.push(linesNamed(swept, 'teams.stale')[0]?.severity);
      expect(swept.status).toBe(200);
      if (minute % 10 === 0 || minute > 58)
        granted.push([
          minute,
          await requested(await newJob(), 'staging-export'),
          await requested(await newJob(), 'staging-config'),
        ]);
    }
    expect(severities).toEqual([
      ...Array.from({ length: 30 }, () => undefined),
      ...Array.from({ length: 30 }, () => 'WARNING'),
      ...['ERROR', 'ERROR'],
    ]);
    expect(granted).toEqual([
      ...[10, 20, 30, 40, 50, 59, 60].map((minute) => [minute, 200, 200]),
      ...[61, 62].map((minute) => [minute, '503 conditions_unknown', 200]),
    ]);
    const copy = await copyOf(PLATFORM);
    expect([copy?.failure, copy?.pipelines]).toEqual(['error_response', { [PIPELINE_ID]: 'build_and_read' }]);
    keydesk.buildkite.teams.before = undefined;
    const swept = await nextSweep();
    expect(linesNamed(swept, 'teams.stale')).toEqual([]);
    expect(await requested(await newJob(), 'staging-export')).toBe(200);
  });

  it('has its age in status, and what is wrong, until it is read again', async () => {
    await open();
    await keydesk.sweep();
    const readAt = keydesk.clock.now();
    const shown = async () => {
      const { teams, problems } = (await keydesk.asPerson(`${keydesk.readerUrl}/status`)).json;
      const [{ state, read_at, failure }] = teams;
      const codes = problems
        .map(({ code }: { code: string }) => code)
        .filter((code: string) => code.startsWith('teams_'));
      return [state, keydesk.clock.now() - Date.parse(read_at), failure, codes.sort()];
    };
    expect(await shown()).toEqual(['current', 0, null, []]);
    keydesk.buildkite.teams.before = () => 'cut';
    const unread = ['teams_unreadable'];
    for (let minute = 1; minute <= 61; minute += 1) {
      await nextSweep();
      const expected = (state: string, codes: readonly string[]) => [
        ...[state, minute * MINUTE, 'unreachable', [...codes, ...unread].sort()],
      ];
      if (minute === 10 || minute === 30) expect(await shown()).toEqual(expected('current', []));
      if (minute === 31 || minute === 60) expect(await shown()).toEqual(expected('aging', ['teams_aging']));
      if (minute === 61) expect(await shown()).toEqual(expected('too_old', ['teams_too_old']));
    }
    expect((await copyOf(PLATFORM))?.read_at.toMillis()).toBe(readAt);
    keydesk.buildkite.teams.before = undefined;
    await nextSweep();
    expect(await shown()).toEqual(['current', 0, null, []]);
  });

  it('refuses approvals in the end, and leaves the ends of jobs to be found and access to be taken away', async () => {
    await open();
    await keydesk.sweep();
    const [approved, later, ended, lost] = [await newJob(), await newJob(), await newJob(), await newJob()];
    for (const job of [approved, later]) await unblock(job, bob);
    keydesk.buildkite.teams.before = () => ({ status: 503 });
    for (let minute = 1; minute <= 60; minute += 1) await nextSweep();
    expect(await requested(approved, 'staging-admin')).toBe(200);
    await nextSweep();
    expect(await requested(later, 'staging-admin')).toBe('503 conditions_unknown');
    expect(await requested(approved, 'staging-admin')).toBe('503 conditions_unknown');
    for (const job of [ended, lost]) expect(await requested(job, 'staging-config')).toBe(200);
    expect((await keydesk.notify(keydesk.buildkite.event(ended))).json).toMatchObject({ result: 'job_ended' });
    expect(await requested(ended, 'staging-config')).toMatch(/^400 job_(ended|finished)/);
    lost.state = 'failed';
    const swept = await nextSweep(4 * MINUTE);
    expect(swept.json.jobs_checked).toBeGreaterThan(0);
    expect(await requested(lost, 'staging-config')).toMatch(/^400 job_(ended|finished)/);
    keydesk.buildkite.teams.before = undefined;
    await nextSweep();
    expect(await requested(later, 'staging-admin')).toBe(200);
  });
});
