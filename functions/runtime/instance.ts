// What an instance says of itself.

import type { Instance } from '../../shared/core/deployment/deployment.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { VERSION } from '../../shared/version.ts';

/** This one. Cloud Run names the revision in K_REVISION (docs.cloud.google.com/run/docs/container-contract#env-vars). */
export const instance: Instance = {
  version: VERSION,
  revision: process.env.K_REVISION ?? null,
  started_at: systemClock.now(),
};
