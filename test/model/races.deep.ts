// Token requests against what ends or blocks them, by the ten thousand, in `npm run test:deep`. What a history is and what must
// hold in it: history.ts, oracle.ts.

import { checkDeeply } from './deep.ts';

checkDeeply('races');
