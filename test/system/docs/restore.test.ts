// docs/RESTORE.md names every command of a restore, in the order in which they go on. gcloud's own parser accepts what they print.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { createReader } from '../../../cli/checks/google.ts';
import { restoreCommand } from '../../../cli/commands/restore.ts';
import { closedItems, databaseItems, jobName, sweepItem, switchItems } from '../../../cli/restore/google-facts.ts';
import type { Item } from '../../../cli/restore/step.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { shellCommand } from '../../../shared/core/shell-quote.ts';
import { at } from '../../fixtures/deployed-addresses.ts';
import { type DeployedWorld, inProcess } from '../../fixtures/deployed-google.ts';
import { deployedWorld } from '../../fixtures/deployed-world.ts';
import { transportTo } from '../../fixtures/doctor-run.ts';
import { runGcloudCommand } from '../../fixtures/gcloud-operator.ts';
import { needs } from '../../fixtures/needs.ts';
import { KEYDESK } from '../../fixtures/preflight-world.ts';
import { gcloudEnvironment, runGcloud } from '../clients/gcloud.ts';

const PAGE = readFileSync(join(ROOT, 'docs/RESTORE.md'), 'utf8');
const RESTORE = {
  ...{ project: KEYDESK, region: 'europe-west1', prefix: 'keydesk', database: 'keydesk', restored: 'keydesk-20261124' },
  snapshot: { at: Date.parse('2026-11-24T01:30:00Z'), iso: '2026-11-24T01:30:00.000Z' },
};
const gcloud = needs('gcloud');
const linted = z.array(z.object({ command_string: z.string(), success: z.boolean() }));

const googleOf = (world: DeployedWorld) => {
  const unexpected: string[] = [];
  return { google: createReader(transportTo(inProcess(world, unexpected)), { quotaProject: KEYDESK }), unexpected };
};
const commandsOf = (items: readonly Item[]) => items.flatMap(({ done, commands }) => (done ? [] : commands));

/** All that the steps print for a deployment as it was, with a role of allUsers. */
async function printed(): Promise<string[]> {
  const world = deployedWorld();
  (world.resources[at.servicePolicy('token')] as { bindings: object[] }).bindings.push({
    role: 'roles/run.invoker',
    members: ['allUsers'],
  });
  const { google, unexpected } = googleOf(world);
  const clone = commandsOf(await databaseItems(google, RESTORE));
  const before = [...(await closedItems(google, RESTORE)), await sweepItem(google, RESTORE)];
  for (const command of clone) runGcloudCommand(world, command);
  const after = [...(await databaseItems(google, RESTORE)), ...(await switchItems(google, RESTORE))];
  expect(unexpected).toEqual([]);
  return [
    ...commandsOf([...before, ...after]),
    shellCommand`gcloud scheduler jobs resume ${jobName(RESTORE)}`,
    ...clone,
  ];
}

describe('docs/RESTORE.md', () => {
  it('has each command of keydesk restore, in its order', () => {
    const named = [...PAGE.matchAll(/^keydesk restore (\w+)/gm)].map(([, name]) => name);
    expect([...new Set(named)]).toEqual(restoreCommand.commands.map((command) => command.name()));
  });

  describe.skipIf(gcloud.missing)(gcloud.title("gcloud's parser"), () => {
    const folder = mkdtempSync(join(tmpdir(), 'restore-'));
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    it('accepts each command that the steps print, but for the clone, which is newer than this gcloud', async () => {
      const commands = await printed();
      expect(commands.length).toBeGreaterThan(20);
      const file = join(folder, 'commands.json');
      writeFileSync(file, JSON.stringify(commands.map((command_string) => ({ command_string }))));
      const { stdout } = await runGcloud(['meta', 'lint-gcloud-commands', `--commands-file=${file}`], {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        ...gcloudEnvironment(folder),
      });
      const refused = linted.parse(JSON.parse(stdout)).filter(({ success }) => !success);
      expect(refused.filter(({ command_string }) => !command_string.includes(' databases clone '))).toEqual([]);
    }, 300_000);
  });
});
