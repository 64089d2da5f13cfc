// A process cut off at every one of its operations: issuing a token.

import { crashTests } from './crash.ts';
import { inMemory } from './ledgers.ts';
import { ISSUANCE } from './scenarios.ts';

await crashTests(inMemory, ISSUANCE);
