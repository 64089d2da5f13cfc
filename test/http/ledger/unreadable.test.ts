// What is said of a record that does not fit the schema: the field, never its value, and which release wrote it.

import { describe, expect, it } from 'vitest';
import { SCHEMA_VERSION } from '../../../shared/core/schema-version.ts';
import { grantDocument, toGrant } from '../../../shared/ledger/documents.ts';
import { createIssuanceLedger } from '../../../shared/ledger/issuance.ts';
import { firestore, GRANT_ID, request } from '../../fixtures/grants.ts';
import { createMemoryFirestore } from '../../fixtures/memory-firestore.ts';
import { reserve } from '../../fixtures/reserve.ts';
import { TestClock } from '../../fixtures/test-clock.ts';

async function readAfter(change: Record<string, unknown>): Promise<unknown> {
  const clock = new TestClock(1_790_000_000_000);
  const { firestore: ledger } = createMemoryFirestore();
  await reserve(createIssuanceLedger(ledger, clock), request(firestore));
  await grantDocument(ledger, GRANT_ID).update(change);
  const snapshot = await grantDocument(ledger, GRANT_ID).get();
  try {
    return toGrant(snapshot);
  } catch (error) {
    return error;
  }
}

describe('a record that does not fit the schema', () => {
  it('of a newer release says that the other functions need that release', async () => {
    expect(await readAfter({ state: 'paused', schema_version: SCHEMA_VERSION + 1 })).toMatchObject({
      dependency: 'ledger',
      message: `ledger: grants/${GRANT_ID} cannot be read (state): a newer release wrote it (schema_version ${SCHEMA_VERSION + 1}; this release has ${SCHEMA_VERSION}): deploy that release for every function`,
    });
  });

  it('of this release was changed by something else; its values are not reported', async () => {
    const error = await readAfter({ state: 'secret', tokens: ['secret'] });
    expect(error).toMatchObject({ message: expect.stringMatching(/\(state, tokens\.0\): it was changed by hand/) });
    expect(String(error)).not.toContain('secret');
  });

  it('reads a field that it does not know as if it were not there', async () => {
    expect(await readAfter({ paused_at: 1, schema_version: SCHEMA_VERSION + 1 })).not.toHaveProperty('paused_at');
  });
});
