// A process cut off at every one of its operations: ending.

import { crashTests } from './crash.ts';
import { inMemory } from './ledgers.ts';
import { REVOCATION } from './scenarios.ts';

await crashTests(inMemory, REVOCATION);
