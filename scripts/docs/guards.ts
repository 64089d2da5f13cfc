// The table of guards that were removed one at a time, and of what noticed it, for docs/VERIFICATION.md.

import { MUTATIONS } from '../../tools/mutation/mutations.ts';
import { type Blocks, table } from './markdown.ts';

export function guardTables(): Blocks {
  return {
    guards: table(
      ['breaks', 'guard removed, or mistake made', 'noticed by'],
      MUTATIONS.flatMap(({ breaks, means, observed }) => (observed === undefined ? [] : [[breaks, means, observed]])),
    ),
  };
}
