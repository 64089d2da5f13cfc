// The `webhook` function: composes the end of a job, and the record of a build, from settings. It reads no policy, so that no
// mistake in one can keep a job's credentials alive.

import { parseWebhookSettings } from '../../shared/core/settings.ts';
import { endJob } from '../../shared/operations/end-job.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { BackgroundRecord } from '../runtime/background.ts';
import { createStdoutLogger, exitOnProblems, serve } from '../runtime/bootstrap.ts';
import { instance } from '../runtime/instance.ts';
import { logLateEnds } from '../runtime/late-ends.ts';
import { lazyWarm } from '../runtime/lazy.ts';
import { createWebhookHandler, WEBHOOK_BODY_LIMIT, WEBHOOK_ERROR_RESPONSES } from './handler.ts';
import { KeyUse } from './key-use.ts';

const { settings } = exitOnProblems(parseWebhookSettings(process.env));
const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);

const loadDeps = lazyWarm(async () => {
  const { createWebhookDeps } = await import('./dependencies.ts');
  const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
  return { ...createWebhookDeps({ settings, emulatorHost, clock: systemClock }), ...logLateEnds(audit) };
}, systemClock);

const keyUse = new KeyUse(settings.KEYDESK_WEBHOOK_TOKENS, systemClock);
const deployment = new BackgroundRecord({
  record: async () => {
    const { deploymentLedger } = await loadDeps();
    await deploymentLedger.recordWebhook(instance, keyUse.take());
  },
  hasNews: keyUse.hasNews,
  audit,
  clock: systemClock,
});

export const webhook = serve({
  headHandler: createWebhookHandler({
    webhookTokens: settings.KEYDESK_WEBHOOK_TOKENS,
    endJob: async (end) => endJob(await loadDeps(), end),
    recordBuild: async (news) => (await loadDeps()).buildLedger.addNews(news),
    keyAccepted: keyUse.accepted,
    clock: systemClock,
  }),
  errorResponses: WEBHOOK_ERROR_RESPONSES,
  bodyLimit: WEBHOOK_BODY_LIMIT,
  settings,
  warmUp: () => void loadDeps().catch(() => {}),
  background: deployment.run,
});
