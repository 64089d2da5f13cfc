// What `keydesk doctor` says of the sinks into the log archive: only the module's own filter, and a binding that lets the sink write.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { GOOGLE_LINES, KEYDESK_LINES } from '../../../../cli/doctor/log-sinks.ts';
import { EVENTS } from '../../../../shared/audit/events.ts';
import { at, LOG_BUCKET } from '../../../fixtures/deployed-addresses.ts';
import type { FakePolicy } from '../../../fixtures/deployed-policies.ts';
import { deployedWorld } from '../../../fixtures/deployed-world.ts';
import { runDoctorOn } from '../../../fixtures/doctor-run.ts';
import { KEYDESK, POOL } from '../../../fixtures/preflight-world.ts';

async function withFilter(project: string, change: (filter: string) => string) {
  const world = deployedWorld();
  const sink = world.resources[at.sink(project)] as { filter: string };
  world.resources[at.sink(project)] = { ...sink, filter: change(sink.filter) };
  return (await runDoctorOn(world)).findings;
}

describe('a log sink', () => {
  it('has the filter that the module gives it', () => {
    const module = readFileSync('deploy/terraform/log-archive.tf', 'utf8');
    const local = (name: string) => JSON.parse(new RegExp(`${name} += (".*")\\n`).exec(module)?.[1] ?? '""');
    expect([GOOGLE_LINES, KEYDESK_LINES]).toEqual([local('google_lines'), local('keydesk_lines')]);
  });

  it('keeps every event of the audit log', () => {
    const pattern = new RegExp(/^jsonPayload\.event=~"(.+)"$/.exec(KEYDESK_LINES)?.[1] ?? '$.');
    expect(Object.keys(EVENTS).filter((event) => !pattern.test(event))).toEqual([]);
    expect(pattern.test('startup')).toBe(false);
  });

  // In Google's query language OR binds tighter than AND.
  it.each([
    [
      'leaves out a person',
      POOL,
      (filter: string) =>
        `${filter} OR severity>=DEFAULT AND NOT protoPayload.authenticationInfo.principalEmail="eve@acme.example"`,
    ],
    ['has a condition more', POOL, (filter: string) => `${filter} AND severity>=ERROR`],
    ["has the filter of Keydesk's project in another one", POOL, () => `${GOOGLE_LINES} OR ${KEYDESK_LINES}`],
    ['has no filter', POOL, () => ''],
    ["lacks Keydesk's own lines", KEYDESK, () => GOOGLE_LINES],
    ["lacks some of Keydesk's lines", KEYDESK, (filter: string) => filter.replace('|grant|', '|')],
    ["lacks Google's lines", KEYDESK, () => KEYDESK_LINES],
  ])('is a finding when it %s', async (_, project, change) => {
    const found = await withFilter(project, change);
    expect(found.map(({ finding, resource }) => [finding, resource])).toEqual([['log_sink_differs', project]]);
    expect(found[0]?.undo).toContain('--log-filter=');
  });

  it('may write under no condition, or under the one of the module', async () => {
    const conditioned = async (expression: string | undefined) => {
      const world = deployedWorld();
      const policy = structuredClone(world.resources[at.project(KEYDESK)]) as FakePolicy;
      const binding = policy.bindings.find(({ role }) => role === 'roles/logging.bucketWriter');
      if (expression === undefined) delete binding?.condition;
      else if (binding) binding.condition = { title: 'x', expression };
      world.resources[at.project(KEYDESK)] = policy;
      return [...new Set((await runDoctorOn(world)).findings.map(({ finding }) => finding))];
    };
    expect(await conditioned(undefined)).toEqual([]);
    expect(await conditioned(`resource.name.endsWith("${LOG_BUCKET}")`)).toEqual([]);
    expect(await conditioned('resource.name.endsWith("another")')).toEqual(['log_sink_cannot_write']);
  });
});
