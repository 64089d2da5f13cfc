// The `serviceAccount` key of a credential: tokens of one service account that jobs share, or of a pool, in which each job has an
// account of its own. The kinds are in core/kinds.

import * as z from 'zod';
import { USER_MANAGED_ACCOUNT } from './account-email.ts';
import { NOT_AN_ACCOUNT, serviceAccountSchema } from './google-names.ts';
import type { StorageScope } from './storage-key.ts';

/** Accounts of one pool. */
const MAX_POOL = 500;

/** Pooled accounts are disabled and enabled by name, so their project must be plain from it. */
const pooledAccount = z.string().regex(USER_MANAGED_ACCOUNT, NOT_AN_ACCOUNT);
export const poolSchema = z.array(pooledAccount).min(1).max(MAX_POOL, `must have ${MAX_POOL} accounts at most`);

const scope = z
  .string()
  .regex(/^[\x21\x23-\x5b\x5d-\x7e]+$/, 'must be an OAuth scope such as https://www.googleapis.com/auth/datastore');

/** What tokens of service accounts open. */
export interface AccountAccess {
  /** Those of the account's own token, also where it is narrowed afterwards. */
  readonly scopes: readonly string[];
  /** Null for tokens that are not narrowed. */
  readonly storage: StorageScope | null;
}

/** The `serviceAccount` key in a policy. */
export const serviceAccountKeySchema = z
  .strictObject({
    email: serviceAccountSchema.optional(),
    pool: poolSchema.optional(),
    retiring: poolSchema.optional(),
    scopes: z.array(scope).min(1),
  })
  .transform(({ email, pool, retiring, scopes }, context) =>
    exactlyOneSource({ email, pool, retiring }, 'email', { scopes, storage: null }, context),
  );

/** Where the tokens of a credential come from, as it is in the file. */
interface WrittenSource {
  readonly email: string | undefined;
  readonly pool: readonly string[] | undefined;
  /** Accounts of the pool that are no longer leased. A job that has one keeps it until its grant ends. */
  readonly retiring: readonly string[] | undefined;
}

export function exactlyOneSource(
  { email, pool, retiring }: WrittenSource,
  emailKey: string,
  access: AccountAccess,
  context: z.core.$RefinementCtx,
) {
  if (email && !pool) {
    if (!retiring) return { kind: 'service_account' as const, email, ...access };
    context.addIssue({ code: 'custom', path: ['retiring'], message: 'needs pool: only accounts of a pool retire' });
    return z.NEVER;
  }
  if (pool && !email)
    return { kind: 'pooled_service_account' as const, pool, ...(retiring && { retiring }), ...access };
  const found = email ? 'It has both: remove one' : 'It has neither';
  context.addIssue({ code: 'custom', message: `must have exactly one of ${emailKey} and pool. ${found}` });
  return z.NEVER;
}
