// Names of what a deployment has for the webhook. deploy/terraform gives them these names.

import { stripTrailingSlash } from '../../shared/google/response.ts';

export interface WebhookDeployment {
  /** Keydesk's own project. */
  readonly project: string;
  readonly region: string;
  /** `name_prefix` of the Terraform module. */
  readonly namePrefix: string;
  /** Slug of the Buildkite organization. */
  readonly organization: string;
  /** Where Buildkite sends webhooks; undefined for Cloud Run's own URL. */
  readonly url: string | undefined;
}

export const SECRET_SUFFIX = '-webhook-tokens';

/** The name of the Cloud Run service. */
export function functionOf({ namePrefix }: WebhookDeployment): string {
  return `${namePrefix}-webhook`;
}

export function secretOf({ namePrefix }: WebhookDeployment): string {
  return `${namePrefix}${SECRET_SUFFIX}`;
}

/** Whether requests to both URLs are the same. */
export function isSameUrl(one: string, other: string): boolean {
  if (!URL.canParse(one) || !URL.canParse(other)) return one === other;
  return stripTrailingSlash(new URL(one).href) === stripTrailingSlash(new URL(other).href);
}

export function isSameHost(one: string, other: string): boolean {
  return URL.canParse(one) && URL.canParse(other) && new URL(one).host === new URL(other).host;
}
