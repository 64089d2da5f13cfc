// The `webhook` function: composes the end of a job from settings. It reads no policy, so that no mistake in one can
// keep a job's credentials alive.

import { parseWebhookSettings } from '../../shared/core/settings.ts';
import { endJob } from '../../shared/operations/end-job.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createWebhookHandler, WEBHOOK_BODY_LIMIT, WEBHOOK_ERROR_RESPONSES } from './handler.ts';

const { settings } = exitOnProblems(parseWebhookSettings(process.env));

const loadRevocationDeps = lazyWarm(async () => {
  const { createRevocationDeps } = await import('../../shared/wiring/revocation.ts');
  return createRevocationDeps({ settings, emulator: Boolean(process.env.FIRESTORE_EMULATOR_HOST), clock: systemClock });
}, systemClock);

export const webhook = serve({
  headHandler: createWebhookHandler({
    webhookTokens: settings.KEYDESK_WEBHOOK_TOKENS,
    endJob: async (end) => endJob(await loadRevocationDeps(), end),
    clock: systemClock,
  }),
  errorResponses: WEBHOOK_ERROR_RESPONSES,
  bodyLimit: WEBHOOK_BODY_LIMIT,
  settings,
  warmUp: () => void loadRevocationDeps().catch(() => {}),
});
