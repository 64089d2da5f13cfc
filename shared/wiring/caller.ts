// Who calls `reader` or `admin`: verified with Google's keys, which are cached.

import { auditEvent } from '../audit/events.ts';
import type { AuditLogger } from '../audit/logger.ts';
import type { OperatorSettings } from '../core/operator-settings.ts';
import { createCallerVerifier, type VerifyCaller } from '../google/caller.ts';
import { JwksCache } from '../oidc/jwks-cache.ts';
import type { Clock } from '../runtime/clock.ts';
import { createHttpClient } from '../runtime/http-client.ts';

export function openCallerVerifier(deps: {
  readonly settings: OperatorSettings;
  readonly clock: Clock;
  readonly audit: AuditLogger;
}): { readonly verifyCaller: VerifyCaller; readonly warmUp: () => Promise<void> } {
  const { settings, clock, audit } = deps;
  const keys = new JwksCache({
    algorithms: ['RS256'],
    url: settings.KEYDESK_GOOGLE_KEYS_URL,
    sendRequest: createHttpClient(clock),
    clock,
    onUnusable: ({ code, detail }) =>
      audit(auditEvent('issuer_keys.unusable', { dependency: 'issuer keys', error: detail, code })),
  });
  const verifyCaller = createCallerVerifier({ audiences: settings.KEYDESK_OPERATOR_AUDIENCES, getKeys: keys.getKeys });
  return { verifyCaller, warmUp: () => keys.warmUp() };
}
