// Starts `reader` or `admin`: the functions that people call. Which clients a function has is its own matter.

import type { Routes } from '../../shared/core/operator-api/route.ts';
import { parseOperatorSettings } from '../../shared/core/operator-settings.ts';
import type { HistoricDatabase } from '../../shared/firestore/database.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { openCallerVerifier } from '../../shared/wiring/caller.ts';
import type { ClientSettings } from '../../shared/wiring/clients.ts';
import { BackgroundRecord } from './background.ts';
import { createStdoutLogger, exitOnProblems, serve } from './bootstrap.ts';
import { lazyWarm } from './lazy.ts';
import {
  createPrivateHandler,
  PRIVATE_BODY_LIMIT,
  PRIVATE_ERROR_RESPONSES,
  type PrivateHandlers,
} from './private-handler.ts';

/** @returns what to export as the framework's target */
export function servePrivate<const R extends Routes, D extends { readonly warmUp: () => Promise<void> }>(deps: {
  readonly routes: R;
  readonly openDeps: (from: ClientSettings<HistoricDatabase>) => Promise<D>;
  readonly createHandlers: (loadDeps: () => Promise<D>) => PrivateHandlers<R>;
  /** Undefined for a function that may not write. */
  readonly recordStart?: (deps: D) => Promise<void>;
}) {
  const { routes, openDeps, createHandlers, recordStart } = deps;
  const { settings } = exitOnProblems(parseOperatorSettings(process.env));
  const audit = createStdoutLogger(settings.GOOGLE_CLOUD_PROJECT);
  const clock = systemClock;
  const { verifyCaller, warmUp } = openCallerVerifier({ settings, clock, audit });
  const emulatorHost = process.env.FIRESTORE_EMULATOR_HOST;
  const loadDeps = lazyWarm(() => openDeps({ settings, emulatorHost, clock }), clock);
  const start =
    recordStart && new BackgroundRecord({ record: async () => recordStart(await loadDeps()), audit, clock });
  return serve({
    handler: createPrivateHandler({ routes, handlers: createHandlers(loadDeps), verifyCaller, clock }),
    errorResponses: PRIVATE_ERROR_RESPONSES,
    bodyLimit: PRIVATE_BODY_LIMIT,
    settings,
    warmUp: () => {
      void warmUp();
      void loadDeps().catch(() => {});
    },
    background: () => start?.run(),
  });
}
