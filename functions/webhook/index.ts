// The `webhook` function: composes the end of a job from settings. It reads no policy, so that no mistake in one can
// keep a job's credentials alive.

import { parseSettingsOfWebhook } from '../../shared/core/settings.ts';
import { endJob } from '../../shared/operations/end-job.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { orStop, start } from '../runtime/bootstrap.ts';
import { onceWarm } from '../runtime/lazy.ts';
import { createWebhookHandler, WEBHOOK_BODY_LIMIT, WEBHOOK_FAILURES } from './handler.ts';

const { settings } = orStop(parseSettingsOfWebhook(process.env));

const ending = onceWarm(async () => {
  const { createEnding } = await import('../../shared/wiring/revocation.ts');
  return createEnding({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const webhook = start({
  headHandler: createWebhookHandler({
    webhookTokens: settings.KEYDESK_WEBHOOK_TOKENS,
    endJob: async (end) => endJob(await ending(), end),
    clock: systemClock,
  }),
  failures: WEBHOOK_FAILURES,
  bodyLimit: WEBHOOK_BODY_LIMIT,
  project: settings.GOOGLE_CLOUD_PROJECT,
  warm: () => void ending().catch(() => {}),
});
