// What the audit lines of the in-process Keydesk have in common, written out: the request, the job, the grant.

import { expect } from 'vitest';
import type { AuditEventName } from '../../shared/audit/events.ts';
import { grantId } from '../../shared/core/grant/id.ts';
import type { InProcessKeydesk } from '../fixtures/in-process-keydesk.ts';

const UUID = expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
export const TIME = expect.stringMatching(/^20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z$/);
export const SHA256 = expect.stringMatching(/^[0-9a-f]{64}$/);
const LATENCY = expect.stringMatching(/^[0-9]+\.[0-9]{3}s$/);
export const USER_AGENT = 'audit-test/1';
export const TRACE = '105445aa7843bc8bf206b12000100000';

export const jobFields = (jobId: string) => ({
  job_id: jobId,
  organization_slug: 'acme-inc',
  organization_id: 'f892efa9-103e-4d28-97a1-3b8616a0994d',
  pipeline_slug: 'app',
  pipeline_id: '0184990a-4782-42b5-afc1-16715b10b1f0',
  build_number: 42,
  build_branch: 'main',
  build_tag: null,
  build_commit: '9f3182061f1e2cca4702c368cbc039b7dc9d4485',
  build_source: 'webhook',
  step_key: 'deploy',
  agent_id: '0184990a-4782-42b5-afc1-16715b10b8ff',
});
const grantFields = (jobId: string, credential: string) => ({
  grant_id: grantId(jobId, credential),
  credential,
  environment: 'staging',
  rule: 'deploy to staging',
  policy_sha256: SHA256,
  created_at: TIME,
  requested_at: TIME,
  issued_at: TIME,
  tokens_issued: 1,
  expires_at: TIME,
});

/** The lines of `keydesk`; a request is identified by its status and its path, a grant by its job and its credential. */
export function linesOf(keydesk: InProcessKeydesk) {
  const targetFields = {
    'staging-config': {
      kind: 'firestore',
      revocation: 'immediate',
      project: keydesk.project,
      database: '(default)',
    },
    'staging-export': {
      kind: 'service_account',
      revocation: 'expiry',
      service_account: `export@${keydesk.project}.iam.gserviceaccount.com`,
      scopes: ['https://www.googleapis.com/auth/datastore', 'https://www.googleapis.com/auth/devstorage.read_only'],
      storage: null,
    },
  };
  return {
    /** @param status undefined for a line that is written before the response */
    frame: (
      event: AuditEventName,
      status: number | undefined,
      requestUrl: string,
      labels: Record<string, string> = {},
    ) => ({
      event,
      request_id: UUID,
      'logging.googleapis.com/trace': `projects/${keydesk.project}/traces/${TRACE}`,
      'logging.googleapis.com/spanId': '000000000000004a',
      'logging.googleapis.com/trace_sampled': true,
      'logging.googleapis.com/labels': { event, ...labels },
      httpRequest: {
        requestMethod: 'POST',
        requestUrl,
        ...(status === undefined ? {} : { status }),
        userAgent: USER_AGENT,
        remoteIp: '203.0.113.7',
        latency: LATENCY,
      },
    }),
    grantLine: (jobId: string, credential: keyof typeof targetFields) => ({
      severity: 'INFO',
      ...jobFields(jobId),
      ...grantFields(jobId, credential),
      ...targetFields[credential],
      conditions: null,
      kill_switch_id: null,
    }),
    labels: (credential: keyof typeof targetFields) => {
      const { service_account } = { service_account: undefined, ...targetFields[credential] };
      return { credential, environment: 'staging', ...(service_account ? { service_account } : {}) };
    },
  };
}
