// Whether the histories about people and machines would find anything: Keydesk is composed with one mistake at a time, and a history must
// object to each. What a history is, and how it judges: history.ts, people/judge.ts.

import { expectObjections } from './people/expect-objections.ts';
import { MISTAKES } from './people/mistakes.ts';

expectObjections(MISTAKES, 100);
