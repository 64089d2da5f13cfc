// The one kind of body that the token endpoint takes, as OAuth has it (RFC 6749 appendix B).

import type { HttpRequest } from '../runtime/http-server.ts';

export const FORM_CONTENT_TYPE = 'application/x-www-form-urlencoded';

export function isFormRequest({ headers }: HttpRequest): boolean {
  const contentType = headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase();
  return contentType === FORM_CONTENT_TYPE && (headers['content-encoding'] ?? 'identity') === 'identity';
}
