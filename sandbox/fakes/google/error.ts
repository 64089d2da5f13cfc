// Google's error shape, and the errors that several parts of the fake Google respond with. Decides nothing.
// Sources: cloud.google.com/apis/design/errors; google.rpc.ErrorInfo; google.api.ErrorReason;
// docs.cloud.google.com/storage/docs/json_api/v1/status-codes.

import type { LocalResponse } from '../../local-server.ts';

export interface ErrorInfo {
  readonly reason: string;
  readonly domain: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export function googleError(code: number, status: string, message: string, info?: ErrorInfo): LocalResponse {
  const details = info && [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', ...info }];
  return { status: code, json: { error: { code, message, status, ...(details && { details }) } } };
}

export function unauthenticated(info?: ErrorInfo): LocalResponse {
  return googleError(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.', info);
}

export function permissionDenied(permission: string): LocalResponse {
  const message = `Permission '${permission}' denied on resource (or it may not exist).`;
  return googleError(403, 'PERMISSION_DENIED', message, {
    reason: 'IAM_PERMISSION_DENIED',
    domain: 'iam.googleapis.com',
    metadata: { permission },
  });
}

/** The shape of Cloud Storage's errors, which is older than the shape of other APIs. @param others further errors of the same request */
export function storageError(
  code: number,
  reason: string,
  message: string,
  ...others: readonly string[]
): LocalResponse {
  const errors = [message, ...others].map((one) => ({ message: one, domain: 'global', reason }));
  return { status: code, json: { error: { code, message, errors } } };
}
