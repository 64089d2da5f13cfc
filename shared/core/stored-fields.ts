// What the fields of stored records hold, for docs/STORAGE.md alone: the functions do not load this. A name with a dot is a member of an
// object, or of each item of a list. The compiler checks that every field has a description, and nothing else has one.

import type * as z from 'zod';
import type { firebaseUserSchema } from './firebase-user.ts';
import type { Blocks, KillSwitchRecord, Selector } from './kill-switch.ts';

type Inner<Value> = Value extends readonly (infer Item)[] ? Item : Value;

/** The names of all members of a record, inner ones behind a dot. */
type FieldName<Stored> = Stored extends object
  ? { [Name in keyof Stored & string]-?: Name | `${Name}.${FieldName<Inner<Stored[Name]>>}` }[keyof Stored & string]
  : never;

/** A description of each field of a record. */
export type StoredFields<Stored> = Readonly<Record<FieldName<Stored>, string>>;

/** The descriptions of an inner record, by the names that its fields have in the outer one. */
export function within<Outer extends string, Fields extends object>(
  outer: Outer,
  fields: Fields,
): { readonly [Name in keyof Fields & string as `${Outer}.${Name}`]: string } {
  const named = Object.entries(fields).map(([name, description]) => [`${outer}.${name}`, description]);
  return Object.fromEntries(named);
}

const SELECTOR_FIELDS: StoredFields<Selector> = {
  job_id: 'the job',
  pipeline_id: 'the UUID of the pipeline',
  pipeline_slug: 'the slug of the pipeline',
  build_branch: 'the branch',
  agent_id: 'the agent',
  credential: 'the credential',
  environment: 'the environment',
  policy_sha256: 'the policy by which the tokens were issued',
  approved_by: 'the UUID of the Buildkite user who unblocked the step for an approval',
  issued_since:
    'selects grants that were requested, or issued a token, then or later. New requests always fit. `--all` writes the beginning of time',
};

export const BLOCKS_FIELDS: StoredFields<{ readonly blocks: Blocks }> = {
  blocks: 'the active blocks, at most 100',
  'blocks.id': 'the id of the act in `kill_switches` that activated the block',
  'blocks.activated_at': 'when the block was activated',
  'blocks.selector': 'which requests are blocked: those to which every member fits',
  ...within('blocks.selector', SELECTOR_FIELDS),
};

export const KILL_SWITCH_FIELDS: StoredFields<KillSwitchRecord> = {
  selector:
    'which live grants to end and, with `blocks_new`, which requests to block: those to which every member fits',
  ...within('selector', SELECTOR_FIELDS),
  actor: 'the verified e-mail address of who activated the kill switch',
  reason: 'why, in the words of that person',
  blocks_new: 'whether new requests are blocked until the block is removed',
  activated_at: 'when the kill switch was activated',
  deactivated_at: 'when the block was removed; null before',
  deactivated_by: 'who removed the block; null before',
};

export const FIREBASE_USER_FIELDS: StoredFields<z.output<typeof firebaseUserSchema>> = {
  generation: 'the generation of the user that is in use',
  changed_at: 'when the user of the generation before was found changed',
  write_id: 'a random mark by which a writer recognizes its own write when the response was lost',
};
