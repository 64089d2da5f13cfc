// A process cut off at every one of its operations: handing out.

import { crashTests } from './crash.ts';
import { inMemory } from './ledgers.ts';
import { HANDING_OUT } from './scenarios.ts';

await crashTests(inMemory, HANDING_OUT);
