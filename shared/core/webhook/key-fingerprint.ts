// Names a webhook's key without revealing it.

import { createHash } from 'node:crypto';

/** The first 12 hex digits of SHA-256 over `keydesk webhook key`, a newline and the key. */
export function keyFingerprint(webhookToken: string): string {
  return createHash('sha256').update(`keydesk webhook key\n${webhookToken}`).digest('hex').slice(0, 12);
}
