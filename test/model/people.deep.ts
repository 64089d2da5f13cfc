// The moves about people and machines, by the ten thousand, in `npm run test:deep`, and mistakes that few histories meet. What a history is
// and what must hold in it: history.ts, oracle.ts, people/judge.ts.

import { checkDeeply } from './deep.ts';
import { expectObjections } from './people/expect-objections.ts';
import { RARE_MISTAKES } from './people/mistakes.ts';

checkDeeply('people');
expectObjections(RARE_MISTAKES, 1_000);
