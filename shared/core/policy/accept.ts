// `accept`: warnings of `keydesk policy check` that the author of a policy accepts, each with a reason. It can be in a rule, in a
// credential, or at the top for everything else. The functions ignore it, so core/policy-warnings checks codes and reasons.

import * as z from 'zod';

/** By the code of the warning, why it is accepted. */
export const acceptSchema = z.record(z.string(), z.string());

export type Accept = z.output<typeof acceptSchema>;
