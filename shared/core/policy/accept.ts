// `accept`: warnings of `keydesk policy check` that the author of a policy accepts, each with a reason. It stands in a rule, in a
// credential, or at the top for everything else. The functions parse it and do not use it; core/policy-warnings does.

import * as z from 'zod';

const reason = z
  .string()
  .max(500)
  .regex(/^\s*\S+(?:\s+\S+){2,}\s*$/, 'must be a reason of three words or more: why the warning does not apply here');

/** By the code of the warning, why it is accepted. Which codes there are is checked with the warnings. */
export const acceptSchema = z.record(
  z.string().regex(/^[a-z][a-z_]{0,62}$/, 'must be the code of a warning, such as short_ttl'),
  reason,
);

export type Accept = z.output<typeof acceptSchema>;
