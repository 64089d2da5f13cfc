// The `sweep` function: composes the sweep from settings.

import { parseSettings } from '../../shared/core/settings.ts';
import { ApiTokenChecks } from '../../shared/operations/check-api-token.ts';
import { TeamReads } from '../../shared/operations/read-teams.ts';
import { recordSweep } from '../../shared/operations/record-sweep.ts';
import { sweep as runSweep } from '../../shared/operations/sweep.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { BackgroundRecord } from '../runtime/background.ts';
import { createStdoutLogger, exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { instance } from '../runtime/instance.ts';
import { logLateEnds } from '../runtime/late-ends.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createSweepHandler, SWEEP_BODY_LIMIT, SWEEP_ERROR_RESPONSES } from './handler.ts';

const { settings } = exitOnProblems(parseSettings(process.env));
const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);

const loadDeps = lazyWarm(async () => {
  const { createSweepDeps } = await import('./dependencies.ts');
  const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
  return { ...createSweepDeps({ settings, emulatorHost, clock: systemClock }), ...logLateEnds(audit) };
}, systemClock);

const apiTokenChecks = new ApiTokenChecks('buildkite_api_token');
const teamsApiTokenChecks = new ApiTokenChecks('buildkite_teams_api_token');
const teamReads = new TeamReads();
const deployment = new BackgroundRecord({
  record: async () => (await loadDeps()).deploymentLedger.recordSweep(instance, {}),
  audit,
  clock: systemClock,
});

export const sweep = serve({
  handler: createSweepHandler({
    sweep: async () => runSweep(await loadDeps()),
    record: async (swept) => {
      deployment.skipStart();
      return recordSweep({ ...(await loadDeps()), apiTokenChecks, teamsApiTokenChecks }, instance, swept);
    },
    readTeams: async (startedAt) => teamReads.read(await loadDeps(), startedAt),
    clock: systemClock,
  }),
  errorResponses: SWEEP_ERROR_RESPONSES,
  bodyLimit: SWEEP_BODY_LIMIT,
  settings,
  warmUp: () => void loadDeps().catch(() => {}),
  background: deployment.run,
});
