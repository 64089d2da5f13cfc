// Replaces the webhook's key, step by step. What to do next is decided from what is there, so a run that was interrupted continues.

import { markKeySince, provenFrom } from '../../shared/core/webhook/key-proof.ts';
import { type Goal, nextRotationStep, type RotationStep } from '../../shared/core/webhook/key-rotation.ts';
import { CouldNotLook } from '../checks/google.ts';
import { deployKeyVersion } from './cloud-run.ts';
import { functionOf } from './deployment.ts';
import type { WebhookService } from './notification-services.ts';
import { isKeyAcceptedByAll } from './probe.ts';
import { addKeyVersion, disableKeyVersion } from './secret-versions.ts';
import { findServices, type RunningWebhook, readEvidence, readRunning, type WebhookDeps } from './situation.ts';

const POLL_MS = 10_000;
/** Between looks at the log once the key has signed. */
const MOST_PAUSE_MS = 60_000;
const INSTALL = 'Run: keydesk webhook install';

export interface RotationOptions {
  readonly goal: Goal;
  /** Whether somebody else deploys: the command then stops and names the version. */
  readonly byTerraform: boolean;
  /** Says what the next step is, and does nothing. */
  readonly dryRun: boolean;
  /** For how long it waits for webhooks, in milliseconds. */
  readonly waitMs: number;
  /** A key that nobody can guess. */
  readonly newKey: () => string;
  /** Takes a line about each step. */
  readonly report: (line: string) => void;
}

export interface RotationResult {
  /** `waiting`: run it again later. `apply`: deploy `version` first. */
  readonly result: 'rotated' | 'aborted' | 'nothing_to_abort' | 'waiting' | 'apply' | 'dry_run';
  readonly steps: readonly RotationStep['step'][];
  /** Of the secret: what the function runs with, or has to. */
  readonly version: number;
}

interface Observed extends RunningWebhook {
  readonly service: WebhookService;
  /** From when on it is proven, in milliseconds since the epoch. */
  readonly proven: number | undefined;
  readonly step: RotationStep;
}

/** @throws CouldNotLook where it cannot go on. Every webhook is still accepted then, as before */
export async function rotateKey(deps: WebhookDeps, options: RotationOptions): Promise<RotationResult> {
  const { goal, byTerraform, dryRun, report } = options;
  const startedAt = deps.clock.now();
  const steps: RotationStep['step'][] = [];
  for (;;) {
    const observed = await observe(deps, goal, startedAt);
    const version = observed.running.version;
    const begins = observed.step.step === 'at_rest' && goal === 'rotate' && steps.length === 0;
    const step: RotationStep = begins ? { step: 'store_new_key' } : observed.step;
    if (step.step === 'at_rest')
      return {
        result: goal === 'rotate' ? 'rotated' : steps.length > 0 ? 'aborted' : 'nothing_to_abort',
        steps,
        version,
      };
    report(describeStep(step, goal));
    if (dryRun) return { result: 'dry_run', steps: [step.step], version };
    if (step.step === 'deploy' && byTerraform) return { result: 'apply', steps, version: step.version.number };
    if (step.step === 'await_signature') {
      if (!(await waitForProof(deps, options, observed, startedAt))) return { result: 'waiting', steps, version };
    } else await perform(deps, options, observed, step);
    steps.push(step.step);
  }
}

async function observe(deps: WebhookDeps, goal: Goal, startedAt: number): Promise<Observed> {
  const webhook = await readRunning(deps, INSTALL);
  const [service, ...others] = await findServices(deps, webhook);
  if (!service) throw new CouldNotLook('Buildkite has no notification service for the webhook function', INSTALL);
  if (others.length > 0)
    throw new CouldNotLook(
      `Buildkite has ${others.length + 1} notification services for the webhook function, and each may have another key`,
      'Delete all but one at Buildkite, under Settings, Notification Services.',
    );
  const { enabled, settings } = service;
  if (!enabled || settings.token_mode !== 'signature')
    throw new CouldNotLook(
      `The notification service at Buildkite ${enabled ? 'does not sign' : 'is disabled'}, so no key can be seen to sign`,
      INSTALL,
    );
  const evidence = await readEvidence(deps, webhook, service, startedAt);
  const proven = provenFrom(evidence);
  const { keys: running, versions } = webhook;
  const step = nextRotationStep(goal, {
    ...{ running, versions, saved: settings.token ?? '' },
    proven: proven !== undefined && proven <= deps.clock.now(),
  });
  return { ...webhook, service, proven, step };
}

async function perform(
  deps: WebhookDeps,
  options: RotationOptions,
  { service, url }: Observed,
  step: Exclude<RotationStep, { step: 'at_rest' | 'await_signature' }>,
): Promise<void> {
  switch (step.step) {
    case 'store_new_key':
      await addKeyVersion(deps, [options.newKey(), service.settings.token ?? '']);
      return;
    case 'store_alone':
      await addKeyVersion(deps, [step.key]);
      return;
    case 'deploy': {
      await deployKeyVersion(deps, step.version.number);
      const [first = ''] = step.version.keys;
      await demandAccepted(deps, url, first);
      return;
    }
    case 'disable':
      for (const number of step.numbers) await disableKeyVersion(deps, number);
      return;
    case 'save_at_buildkite':
      return saveKey(deps, options, { service, url }, step.key);
    case 'key_unknown':
      throw new CouldNotLook('The function does not have the key that is saved at Buildkite', INSTALL);
  }
}

/** The function shows first that it has the key. What changed meanwhile stops the step. */
async function saveKey(
  deps: WebhookDeps,
  { goal }: RotationOptions,
  { service, url }: Pick<Observed, 'service' | 'url'>,
  key: string,
): Promise<void> {
  const { clock, services } = deps;
  await demandAccepted(deps, url, key);
  const { step } = await observe(deps, goal, clock.now());
  if (step.step !== 'save_at_buildkite' || step.key !== key)
    throw new CouldNotLook('Somebody else changed the deployment meanwhile', 'Run this command again.');
  await services.change(service.id, {
    description: markKeySince(service.description ?? '', clock.now()),
    settings: { token: key },
  });
  const { settings } = await services.get(service.id);
  if (settings.token !== key) throw new CouldNotLook('Buildkite did not save the key', 'Run this command again.');
}

async function demandAccepted(deps: WebhookDeps, url: string, key: string): Promise<void> {
  if (await isKeyAcceptedByAll({ ...deps, url }, key)) return;
  throw new CouldNotLook(
    `${functionOf(deps.deployment)} refuses webhooks that the key signed, although its revision has the key`,
    'Check that --url leads to this function. Then run this command again.',
  );
}

async function waitForProof(
  deps: WebhookDeps,
  { waitMs, report }: RotationOptions,
  observed: Observed,
  startedAt: number,
): Promise<boolean> {
  const { clock } = deps;
  let { proven } = observed;
  let seen = false;
  while (proven === undefined || proven > clock.now()) {
    if (proven !== undefined && !seen)
      report('  The key signs. Waiting until nothing that another key signed can arrive…');
    seen ||= proven !== undefined;
    const pause = Math.min(Math.max(POLL_MS, (proven ?? 0) - clock.now()), MOST_PAUSE_MS);
    if (clock.now() + pause > startedAt + waitMs) return false;
    await clock.sleep(pause);
    proven = provenFrom(await readEvidence(deps, observed, observed.service, startedAt));
  }
  return true;
}

function describeStep(step: RotationStep, goal: Goal): string {
  switch (step.step) {
    case 'at_rest':
      return 'There is nothing to do.';
    case 'store_new_key':
      return 'Storing a version of the secret with a new key and the old one.';
    case 'store_alone':
      return `Storing a version of the secret with the ${goal === 'rotate' ? 'new' : 'old'} key alone.`;
    case 'deploy':
      return `Deploying the function with version ${step.version.number} of the secret.`;
    case 'disable':
      return `Disabling versions of the secret that must not be deployed again: ${step.numbers.join(', ')}.`;
    case 'save_at_buildkite':
      return `Saving the ${goal === 'rotate' ? 'new' : 'old'} key at Buildkite.`;
    case 'await_signature':
      return `Waiting for a webhook that the ${goal === 'rotate' ? 'new' : 'old'} key signed. The end of any job is one.`;
    case 'key_unknown':
      return 'Looking for the key that is saved at Buildkite.';
  }
}
