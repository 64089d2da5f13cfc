// A process cut off after one operation of each kind, on the real emulator. Every operation is in test/model/crash, in memory; both
// together, in crash.deep.ts.

import { inject, vi } from 'vitest';
import { crashTests, oneOfEachKind } from '../model/crash/crash.ts';
import { onEmulator } from '../model/crash/ledgers.ts';
import { ISSUANCE, REVOCATION, SWEEP } from '../model/crash/scenarios.ts';

vi.setConfig({ maxConcurrency: 4 });

await crashTests(() => onEmulator(inject('firestoreHost')), [...ISSUANCE, ...REVOCATION, ...SWEEP], oneOfEachKind());
