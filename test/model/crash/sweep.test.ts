// A process cut off at every one of its operations: sweeping.

import { crashTests } from './crash.ts';
import { inMemory } from './ledgers.ts';
import { SWEEP } from './scenarios.ts';

await crashTests(inMemory, SWEEP);
