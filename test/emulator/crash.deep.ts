// A process cut off at every one of its operations, on the real emulator: issuing, ending and sweeping.

import { inject, vi } from 'vitest';
import { crashTests } from '../model/crash/crash.ts';
import { onEmulator } from '../model/crash/ledgers.ts';
import { ISSUANCE, REVOCATION, SWEEP } from '../model/crash/scenarios.ts';

vi.setConfig({ maxConcurrency: 4 });

await crashTests(() => onEmulator(inject('firestoreHost')), [...ISSUANCE, ...REVOCATION, ...SWEEP]);
