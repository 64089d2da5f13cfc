// A process cut off at every one of its operations: handing out.

import { crashTests } from './crash.ts';
import { inMemory } from './ledgers.ts';
import { ISSUANCE } from './scenarios.ts';

await crashTests(inMemory, ISSUANCE);
