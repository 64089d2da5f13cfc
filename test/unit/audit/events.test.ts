// The catalogue of audit events: what the compiler refuses, and what the documentation needs.

import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { type AuditEventName, auditEvent, EVENTS, fieldsOf } from '../../../shared/audit/events.ts';
import { createAuditLogger } from '../../../shared/audit/logger.ts';

const RELEASED = {
  grant_id: 'g',
  token_sha256: 's',
  failures: [],
  credential: 'config',
  environment: 'e',
  job_id: 'j',
};

describe('the compiler', () => {
  const audit = createAuditLogger({ project: 'acme', write: () => {} });

  it('refuses an event that was not made by the catalogue', () => {
    // @ts-expect-error: it lacks the mark of an event
    audit({ event: 'request.timed_out', severity: 'WARNING', message: 'm' });
    // @ts-expect-error: so does a copy of one with another field
    audit({ ...auditEvent('request.timed_out', {}), event: 'request.failed' });
  });

  it('refuses an event that the catalogue does not have', () => {
    const name = 'grant.shared' as const;
    // @ts-expect-error: no such event
    expect(() => auditEvent(name, {})).toThrow();
  });

  it('refuses a field that is missing, unknown or of another type', () => {
    const { token_sha256: _, ...incomplete } = RELEASED;
    // @ts-expect-error: `token_sha256` is missing
    auditEvent('grant.released', incomplete);
    // @ts-expect-error: `pipeline` is unknown
    auditEvent('grant.released', { ...RELEASED, pipeline: 'app' });
    const wider = { ...RELEASED, pipeline: 'app' };
    // @ts-expect-error: the same where an object is passed on whole
    auditEvent('grant.released', wider);
    const either = RELEASED as typeof RELEASED | (typeof RELEASED & { readonly other: string });
    // @ts-expect-error: and where only one of several forms has it
    auditEvent('grant.released', either);
    // @ts-expect-error: `grant_id` is a text
    auditEvent('grant.released', { ...RELEASED, grant_id: 1 });
    // @ts-expect-error: a code of its own
    auditEvent('task.failed', { dependency: 'ledger', error: 'e', code: 'broken' });
  });
});

describe('an event', () => {
  it('has labels and a message made of its fields, and no field of its context', () => {
    expect(auditEvent('grant.released', RELEASED)).toEqual({
      event: 'grant.released',
      severity: 'INFO',
      message: 'config of job j was released by the job',
      grant_id: 'g',
      token_sha256: 's',
      failures: [],
      labels: { credential: 'config', environment: 'e' },
    });
  });

  it('leaves out a label without a value', () => {
    const event = auditEvent('account.quarantined', { dependency: 'iam', error: 'e', code: 'refused' });
    expect(event).not.toHaveProperty('labels');
  });
});

describe.each(Object.keys(EVENTS) as AuditEventName[])('the catalogue on %s', (event) => {
  const fields = Object.entries(fieldsOf(event));

  it('says what the event and each of its fields mean', () => {
    expect(EVENTS[event].means).toMatch(/[.]$/);
    expect(fields.filter(([, schema]) => !describedBy(schema)).map(([name]) => name)).toEqual([]);
  });
});

/** `optional()` and `nullable()` keep the description of what they wrap. */
function describedBy(schema: z.ZodType): string | undefined {
  const { innerType } = schema.def as { innerType?: z.ZodType };
  return schema.description ?? (innerType && describedBy(innerType));
}
