// All moves there are, by the ten thousand. One worker of `npm run test:deep`; the other is pool.deep.ts. What a history
// is and what must hold in it: history.ts, invariants.ts.

import { checkDeeply } from './deep.ts';

checkDeeply('everything');
