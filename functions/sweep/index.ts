// The `sweep` function: composes the sweep from settings.

import { parseSettings } from '../../shared/core/settings.ts';
import { sweep as runSweep } from '../../shared/operations/sweep.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createSweepHandler, SWEEP_BODY_LIMIT, SWEEP_ERROR_RESPONSES } from './handler.ts';

const { settings } = exitOnProblems(parseSettings(process.env));

const loadDeps = lazyWarm(async () => {
  const { createSweepDeps } = await import('./dependencies.ts');
  return createSweepDeps({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const sweep = serve({
  handler: createSweepHandler({ sweep: async () => runSweep(await loadDeps()), clock: systemClock }),
  errorResponses: SWEEP_ERROR_RESPONSES,
  bodyLimit: SWEEP_BODY_LIMIT,
  settings,
  warmUp: () => void loadDeps().catch(() => {}),
});
