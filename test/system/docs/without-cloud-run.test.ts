// The commands of docs/WITHOUT_CLOUD_RUN.md: gcloud's own parser accepts each, and what they name is what the Terraform module creates.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as z from 'zod';
import { PRIVILEGES } from '../../../deploy/privileges.ts';
import { ROOT } from '../../../sandbox/functions.ts';
import { EVENTS } from '../../../shared/audit/events.ts';
import { needs } from '../../fixtures/needs.ts';
import { gcloudEnvironment, runGcloud } from '../clients/gcloud.ts';

const PAGE = readFileSync(join(ROOT, 'docs/WITHOUT_CLOUD_RUN.md'), 'utf8');
/** With projects whose IDs could be real: gcloud looks at their form. */
const COMMANDS = [...PAGE.matchAll(/^```sh\n([\s\S]*?)^```$/gm)]
  .flatMap(([, block = '']) => block.trim().split('\n'))
  .filter((line) => line.startsWith('gcloud '))
  .map((line) =>
    line.replaceAll(/\b(?:(POOL|DATA|TARGET)_)?PROJECT\b/g, (_, kind) => `acme-${(kind ?? 'keydesk').toLowerCase()}`),
  );
const gcloud = needs('gcloud');

const linted = z.array(
  z.object({ command_string: z.string(), success: z.boolean(), error_message: z.string().nullable() }),
);

describe('docs/WITHOUT_CLOUD_RUN.md', () => {
  const folder = mkdtempSync(join(tmpdir(), 'without-cloud-run-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has commands for each step', () => {
    expect(COMMANDS.length).toBeGreaterThan(11);
    for (const step of PAGE.split(/^## (?=\d)/m).slice(1)) expect(step).toContain('\ngcloud ');
  });

  it('never enables a pooled account, and touches no ledger', () => {
    for (const command of COMMANDS) {
      expect(command).not.toContain('service-accounts enable');
      if (command.startsWith('gcloud firestore')) expect(command).toContain('--project=acme-data');
    }
  });

  it('names what the module creates', () => {
    const own = [...PAGE.matchAll(/roles\/keydesk_(\w+)/g)].map(([, role = '']) => role);
    expect(new Set(own)).toEqual(new Set(['account_disabler']));
    expect(PRIVILEGES.roles.account_disabler?.permissions).not.toContain('iam.serviceAccounts.enable');
    const identities = readFileSync(join(ROOT, 'deploy/terraform/identities.tf'), 'utf8');
    expect(identities).toMatch(/display_name = "Keydesk pool: \$\{local\.pooled_environments/);
    const keys = readFileSync(join(ROOT, 'deploy/terraform/api-keys.tf'), 'utf8');
    expect(keys).toMatch(/display_name += "Keydesk/);
    for (const [, event = ''] of PAGE.matchAll(/jsonPayload\.event="([\w.]+)"/g))
      expect(EVENTS).toHaveProperty([event]);
  });

  describe.skipIf(gcloud.missing)(gcloud.title("gcloud's parser"), () => {
    let results: z.output<typeof linted>;
    beforeAll(async () => {
      const file = join(folder, 'commands.json');
      const wrong = `${COMMANDS[0]} --no-such-flag=1`;
      writeFileSync(file, JSON.stringify([...COMMANDS, wrong].map((command_string) => ({ command_string }))));
      const args = ['meta', 'lint-gcloud-commands', `--commands-file=${file}`];
      const { stdout } = await runGcloud(args, {
        PATH: process.env.PATH ?? '',
        HOME: folder,
        ...gcloudEnvironment(folder),
      });
      results = linted.parse(JSON.parse(stdout));
    }, 300_000);

    it('accepts each command', () => {
      expect(results.map(({ command_string }) => command_string).slice(0, -1)).toEqual(COMMANDS);
      expect(results.slice(0, -1).filter(({ success }) => !success)).toEqual([]);
    });

    it('would not accept another flag', () => {
      expect(results.at(-1)?.success).toBe(false);
    });
  });
});
