// The `sweep` function: composes the sweep from settings.

import { parseSettings } from '../../shared/core/settings.ts';
import { sweep as sweepOnce } from '../../shared/operations/sweep.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { orStop, start } from '../runtime/bootstrap.ts';
import { onceWarm } from '../runtime/lazy.ts';
import { createSweepHandler, SWEEP_BODY_LIMIT, SWEEP_FAILURES } from './handler.ts';

const { settings } = orStop(parseSettings(process.env));

const sweeping = onceWarm(async () => {
  const { createSweeping } = await import('./dependencies.ts');
  return createSweeping({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const sweep = start({
  handler: createSweepHandler({ sweep: async () => sweepOnce(await sweeping()), clock: systemClock }),
  failures: SWEEP_FAILURES,
  bodyLimit: SWEEP_BODY_LIMIT,
  project: settings.GOOGLE_CLOUD_PROJECT,
  warm: () => void sweeping().catch(() => {}),
});
