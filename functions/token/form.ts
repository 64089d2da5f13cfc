// The one kind of body that the token endpoint takes, as OAuth has it (RFC 6749 appendix B).

import type { Incoming } from '../runtime/http-server.ts';

export const FORM = 'application/x-www-form-urlencoded';

export function isForm({ headers }: Incoming): boolean {
  const contentType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return contentType === FORM && (headers['content-encoding'] ?? 'identity') === 'identity';
}
