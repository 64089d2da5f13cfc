// Events of `reader` and `admin`: what people did, by the e-mail address in their verified ID token.

import * as z from 'zod';
import { CALLER_PROBLEMS } from '../../core/operator-api/caller-problem.ts';
import { defineEvent } from './definition.ts';

export const OPERATOR_EVENTS = {
  'operator.read': defineEvent({
    means: 'Somebody read the ledger through `reader`, or looked for grants through `admin`.',
    fields: ({ actor, text }) => ({
      actor,
      operation: text.describe('the route, by its name in docs/openapi.json'),
      about: text.optional().describe('the id in the path, or the query'),
    }),
    severity: 'INFO',
    message: ({ actor, operation }) => `${operation} for ${actor}`,
  }),
  'operator.refused': defineEvent({
    means:
      'A request to `reader` or `admin` had no ID token that is accepted, although Cloud Run let it through. See whether the invoker check of that function is on.',
    fields: ({ text }) => ({
      problem: z.enum(CALLER_PROBLEMS).describe('what is wrong with the ID token'),
      email: text.optional().describe("the address, of a token with Google's signature"),
    }),
    severity: 'WARNING',
    message: ({ problem }) => `a request without an acceptable ID token was refused: ${problem}`,
  }),
};
