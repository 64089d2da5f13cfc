// Starts the real emulators once for all tests, and tells the tests where they are.

import type { TestProject } from 'vitest/node';
import { startAuth, startFirestore } from '../sandbox/emulators.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** What the functions under test keep their records in. */
    ledger: 'memory' | 'emulator';
    firestoreHost: string;
    authHost: string;
  }
}

export default async function startEmulators(project: TestProject): Promise<() => Promise<void>> {
  const [firestore, auth] = await Promise.all([startFirestore(), startAuth()]);
  project.provide('firestoreHost', firestore.host);
  project.provide('authHost', auth.host);
  return async () => {
    await Promise.all([firestore.stop(), auth.stop()]);
  };
}
