// A time that a person gives in a request, in ISO 8601. What Firestore cannot compare a record with is refused.

import * as z from 'zod';

const MUST_BE = 'must be a time such as 2026-11-24T10:00:00Z';
/** Firestore's times end with the year 9999: cloud.google.com/firestore/docs/concepts/data-types. */
const END_OF_TIMES = Date.UTC(10_000, 0);

export const givenTime = z.iso
  .datetime({ offset: true, error: MUST_BE })
  .refine(
    (text) => Date.parse(text) >= 0 && Date.parse(text) < END_OF_TIMES,
    `${MUST_BE}, after 1969 and before 10000`,
  );
