// A process cut off at every one of its operations: ending.

import { crashTests } from './crash.ts';
import { ENDING } from './scenarios.ts';

await crashTests(ENDING);
