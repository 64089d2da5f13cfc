// `keydesk doctor --from FOLDER`: what gcloud and curl printed gives the findings that the APIs give.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFolderTransport, fileNameOf } from '../../../../cli/checks/folder.ts';
import type { Call, Response, Transport } from '../../../../cli/checks/google.ts';
import type { Diagnosis } from '../../../../cli/doctor/diagnose.ts';
import { shellQuote } from '../../../../shared/core/shell-quote.ts';
import { BROKEN } from '../../../fixtures/broken-deployments.ts';
import { inProcess } from '../../../fixtures/deployed-google.ts';
import { deployedWorld } from '../../../fixtures/deployed-world.ts';
import { runDoctorOver, transportTo } from '../../../fixtures/doctor-run.ts';
import { KEYDESK } from '../../../fixtures/preflight-world.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'keydesk-exports-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Received {
  readonly call: Call<unknown>;
  readonly responses: Response[];
}

/** Each call with its responses, a response for each page. */
function recording(transport: Transport): { transport: Transport; received: Map<string, Received> } {
  const received = new Map<string, Received>();
  return {
    received,
    transport: async (call) => {
      const response = await transport(call);
      const name = fileNameOf(call);
      const one = received.get(name) ?? { call, responses: [] };
      one.responses.push(response);
      received.set(name, one);
      return response;
    },
  };
}

type Json = Record<string, unknown>;

/** As gcloud and curl write it. */
function exported({ call, responses }: Received): unknown {
  const [first] = responses;
  if (first?.status !== 200) return first?.json;
  const { gcloud } = call;
  const list = gcloud?.list;
  if (gcloud?.command.startsWith('gcloud projects describe')) return byVersion1(first.json as Json);
  if (list === undefined) return first.json;
  const items = responses.flatMap(({ json }) => ((json as Json)[list] ?? []) as Json[]);
  // gcloud shows what is in resourceId, and enabled services alone.
  if (list === 'ancestor') return items.map(({ resourceId }) => resourceId);
  return list === 'services' ? items.filter(({ state }) => state === 'ENABLED') : items;
}

function byVersion1({ name, projectId, state }: Json) {
  return {
    name: 'A display name',
    projectId,
    projectNumber: String(name).replace('projects/', ''),
    lifecycleState: state,
  };
}

/** Another clock is in no export. */
const ofExports = ({ findings, notLooked }: Diagnosis) =>
  [...findings, ...notLooked].filter(({ check }) => check !== 'clock');

const NOT_EXPORTED = ['clock_differs', 'api_token_not_accepted'];

describe('exports', () => {
  const names = Object.keys(BROKEN).filter((name) => !NOT_EXPORTED.includes(name));

  it('give the findings that the APIs give, whatever is broken', async () => {
    const found = new Set<string>();
    await fc.assert(
      fc.asyncProperty(fc.subarray(names, { maxLength: 12 }), async (broken) => {
        for (const file of readdirSync(folder)) rmSync(join(folder, file));
        const world = deployedWorld();
        // A change may need what another one has removed.
        for (const name of broken) {
          try {
            BROKEN[name]?.change(world);
          } catch {
            // The deployment is broken enough.
          }
        }
        const { transport, received } = recording(transportTo(inProcess(world, [])));
        const online = await runDoctorOver(transport);
        for (const [name, one] of received) writeFileSync(join(folder, name), JSON.stringify(exported(one)));
        const fromFolder = await runDoctorOver(createFolderTransport(folder, { quotaProject: KEYDESK }));
        expect(ofExports(fromFolder)).toEqual(ofExports(online));
        for (const { finding } of online.findings) found.add(finding);
      }),
      { numRuns: 25, seed: 20261124 },
    );
    expect(found.size).toBeGreaterThan(names.length / 2);
  });

  it('have one name for each thing that is read', async () => {
    const calls = new Map<string, Set<string>>();
    const { transport } = recording(transportTo(inProcess(deployedWorld(), [])));
    await runDoctorOver((call) => {
      const { api, path, query = [] } = call;
      const what = JSON.stringify([
        api,
        path,
        query.filter(([name]) => name.startsWith('groupKey') || name === 'keyString'),
      ]);
      const name = fileNameOf(call);
      calls.set(name, (calls.get(name) ?? new Set()).add(what));
      return transport(call);
    });
    expect([...calls].filter(([, what]) => what.size > 1)).toEqual([]);
    expect([...calls.keys()].filter((name) => !/^[\w.@()-]+\.json$/.test(name))).toEqual([]);
  });

  it('have the names and the commands of the page', async () => {
    const { transport, received } = recording(transportTo(inProcess(deployedWorld(), [])));
    await runDoctorOver(transport);
    const page = readFileSync('docs/DOCTOR.md', 'utf8');
    const rows = [...page.matchAll(/^\| `(\S+\.json)` \| `(gcloud .*)` \|$/gm)];
    expect(rows.length).toBeGreaterThan(10);
    for (const [, name = '', command] of rows)
      expect([name, received.get(name)?.call.gcloud?.command]).toEqual([name, command]);
  });

  it('that are missing, empty or no JSON are not looked at, each with the command that writes it', async () => {
    const { transport, received } = recording(transportTo(inProcess(deployedWorld(), [])));
    await runDoctorOver(transport);
    for (const [name, one] of received) writeFileSync(join(folder, name), JSON.stringify(exported(one)));
    const fromFolder = createFolderTransport(folder, { quotaProject: KEYDESK });
    expect(ofExports(await runDoctorOver(fromFolder))).toEqual([]);
    const service = 'run.projects.acme-keydesk.locations.europe-west1.services.keydesk-reader.json';
    const health = 'keydesk-token-1001.europe-west1.run.app.health.json';
    const job = 'cloudscheduler.projects.acme-keydesk.locations.europe-west1.jobs.keydesk-sweep.json';
    rmSync(join(folder, service));
    writeFileSync(join(folder, health), '');
    writeFileSync(join(folder, job), 'ERROR: (gcloud) …');
    const diagnosis = await runDoctorOver(fromFolder);
    expect(diagnosis.findings).toEqual([]);
    expect(Object.fromEntries(diagnosis.notLooked.map(({ check, fix }) => [check, fix]))).toEqual({
      functions: `gcloud run services describe keydesk-reader --project=acme-keydesk --region=europe-west1 --format=json > ${shellQuote(join(folder, service))}`,
      health: expect.stringContaining(
        `curl -sS https://keydesk-token-1001.europe-west1.run.app/health > ${shellQuote(join(folder, health))}`,
      ),
      scheduler: expect.stringContaining('gcloud scheduler jobs describe keydesk-sweep'),
    });
  });

  it('of nothing look at nothing', async () => {
    const diagnosis = await runDoctorOver(createFolderTransport(folder, { quotaProject: KEYDESK }));
    expect(diagnosis.findings).toEqual([]);
    expect(diagnosis.results.filter(({ result }) => result !== 'could_not_look')).toEqual([]);
  });
});
