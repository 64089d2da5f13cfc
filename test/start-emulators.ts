// Starts the real emulators once for all projects of tests that need them, and tells the tests where they are.

import type { TestProject } from 'vitest/node';
import { startAuth, startFirestore } from '../sandbox/emulators.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** What the functions under test keep their records in. */
    ledger: 'memory' | 'emulator';
    firestoreHost: string;
    authHost: string;
    /** By which properties that are checked on the emulators multiply the number of their runs. */
    effort: number;
  }
}

interface Emulators {
  readonly firestoreHost: string;
  readonly authHost: string;
  stop(): Promise<void>;
}

// Each project has its own instance of this module, in one process.
const shared = globalThis as typeof globalThis & { keydeskEmulators?: { starting: Promise<Emulators>; users: number } };

export default async function startEmulators(project: TestProject): Promise<() => Promise<void>> {
  shared.keydeskEmulators ??= { starting: start(), users: 0 };
  const emulators = shared.keydeskEmulators;
  emulators.users += 1;
  const { firestoreHost, authHost, stop } = await emulators.starting;
  project.provide('firestoreHost', firestoreHost);
  project.provide('authHost', authHost);
  return async () => {
    emulators.users -= 1;
    if (emulators.users === 0) await stop();
  };
}

async function start(): Promise<Emulators> {
  const [firestore, auth] = await Promise.all([startFirestore(), startAuth()]);
  return {
    firestoreHost: firestore.host,
    authHost: auth.host,
    stop: async () => {
      await Promise.all([firestore.stop(), auth.stop()]);
    },
  };
}
