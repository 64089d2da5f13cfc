// Lost grants go to `admin` in requests that it takes.

import { expect, it } from 'vitest';
import { partsOf } from '../../../cli/restore/replay.ts';
import { PRIVATE_BODY_LIMIT } from '../../../functions/runtime/private-handler.ts';
import { grantFields } from '../../../shared/audit/result-events.ts';
import { lostGrantSchema, MAX_LOST_GRANTS } from '../../../shared/core/operator-api/lost-grant.ts';
import { grantIn } from '../../fixtures/grants.ts';

it.each([
  ['many', 0, 3],
  ['large', 80, 10],
])('of %s grants none is too large, and none is left out', (_, leases, requests) => {
  const lease = { service_account: `${'a'.repeat(80)}@acme.example`, leased_at: '2026-11-24T10:00:00Z' };
  const grants = Array.from({ length: 45 }, (_, nth) =>
    lostGrantSchema.parse({
      ...grantFields(grantIn('active', 'pool')),
      rule: String(nth),
      past_leases: Array(leases).fill({ ...lease, access_ended_at: lease.leased_at }),
    }),
  );
  const parts = [...partsOf(grants)];
  expect(parts.flat()).toEqual(grants);
  expect(parts.length).toBeGreaterThanOrEqual(requests);
  for (const part of parts) {
    expect(part.length).toBeLessThanOrEqual(MAX_LOST_GRANTS);
    const body = JSON.stringify({ id: crypto.randomUUID(), grants: part });
    expect(Buffer.byteLength(body)).toBeLessThan(PRIVATE_BODY_LIMIT);
  }
});
