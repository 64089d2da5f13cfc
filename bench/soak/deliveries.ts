// Delivers the webhooks of a job as Buildkite may: lost, late, twice, in another order, and again after a failure. Whether
// Buildkite repeats a webhook is not documented, so some are repeated and some are not.

import type { FakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { pause } from './client.ts';
import type { DeliveryPlan } from './job-plan.ts';
import type { KeydeskClient } from './keydesk-client.ts';
import type { Recorder } from './recorder.ts';

const RETRY_AFTER_MS = [1_000, 2_000, 5_000, 10_000, 20_000];

export interface DeliveryDeps {
  readonly buildkite: FakeBuildkite;
  readonly keydesk: KeydeskClient;
  readonly recorder: Recorder;
  readonly random: SeededRandom;
  /** Called when a webhook about the end got a 2xx response. */
  readonly onAccepted: () => void;
}

/** Resolves when nothing more is to be delivered. The job must have finished. */
export async function deliverEnd(deps: DeliveryDeps, job: Job, plan: DeliveryPlan): Promise<void> {
  const { recorder } = deps;
  if (plan.afterMs.length === 0) recorder.write({ type: 'fault', where: 'webhook', kind: 'lost' });
  if (plan.afterMs.length > 1) recorder.write({ type: 'fault', where: 'webhook', kind: 'duplicated' });
  const body = deps.buildkite.event(job);
  const deliveries = plan.afterMs.map(async (afterMs) => {
    if (afterMs >= 2_000) recorder.write({ type: 'fault', where: 'webhook', kind: 'delayed' });
    await pause(afterMs);
    await deliverOnce(deps, { body, job: job.id, retries: plan.retries });
  });
  await Promise.all([...deliveries, ...(plan.forged ? [deliverForged(deps, job)] : [])]);
  if (!plan.otherEvents) return;
  recorder.write({ type: 'fault', where: 'webhook', kind: 'reordered' });
  await deliverStarted(deps, job);
}

/** `job.started`, which ends nothing. */
export async function deliverStarted({ buildkite, keydesk, random }: DeliveryDeps, job: Job): Promise<void> {
  const body = buildkite.event(job, 'job.started');
  await keydesk.webhook({ body, job: job.id, operation: 'other_webhook' }, { random });
}

async function deliverForged({ buildkite, keydesk, random, recorder }: DeliveryDeps, job: Job): Promise<void> {
  recorder.write({ type: 'fault', where: 'webhook', kind: 'forged' });
  await keydesk.webhook({ body: buildkite.event(job), job: job.id, operation: 'forged_webhook' }, { random });
}

async function deliverOnce(
  { keydesk, recorder, random, onAccepted }: DeliveryDeps,
  { body, job, retries }: { readonly body: string; readonly job: string; readonly retries: number },
): Promise<void> {
  for (let tries = 0; tries <= retries; tries += 1) {
    const { status = 0 } = await keydesk.webhook({ body, job, operation: 'job_finished' }, { random });
    if (status >= 200 && status < 300) return onAccepted();
    if (tries === retries) return;
    recorder.write({ type: 'fault', where: 'webhook', kind: 'sent_again' });
    await pause(RETRY_AFTER_MS[tries] ?? 20_000);
  }
}
