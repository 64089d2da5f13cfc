// Reads the environment variables that configure a function, without the space around their values: a secret that was
// stored with `echo` ends in a newline. Every problem is found before any is reported, each by the variable's name and never
// by its value. Knows nothing about files or networks.

import * as z from 'zod';

const loopback = new Set(['127.0.0.1', 'localhost', '[::1]']);

/** ASCII without spaces and control characters: what a header can hold. */
export const VISIBLE = /^[\x21-\x7e]+$/;

export const baseUrl = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .superRefine((text, context) => {
      const problem = baseUrlProblem(text);
      if (problem) context.addIssue({ code: 'custom', message: problem });
    });

const webhookTokens = z
  .string()
  .transform((text) => text.split(',').map((key) => key.trim()))
  .refine((keys) => keys.length <= 2 && keys.every((key) => VISIBLE.test(key)), {
    error: 'must be one or two webhook tokens, separated by a comma',
  });

const apiToken = z.string().regex(VISIBLE, 'must be an API token, without spaces');

export const settingsSchema = z.object({
  GOOGLE_CLOUD_PROJECT: z
    .string({ error: 'is not set: it names the Google Cloud project that holds the ledger' })
    .regex(/^[a-z][a-z0-9:.-]{3,61}[a-z0-9]$/, 'must be a Google Cloud project ID'),
  KEYDESK_DATABASE: z
    .string()
    .regex(/^(\(default\)|[a-z][a-z0-9-]{2,61}[a-z0-9])$/, 'must be a Firestore database ID')
    .default('(default)'),
  KEYDESK_ISSUER: baseUrl('https://agent.buildkite.com'),
  KEYDESK_BUILDKITE_API_URL: baseUrl('https://api.buildkite.com'),
  KEYDESK_IAMCREDENTIALS_URL: baseUrl('https://iamcredentials.googleapis.com'),
  KEYDESK_IAM_URL: baseUrl('https://iam.googleapis.com'),
  KEYDESK_STS_URL: baseUrl('https://sts.googleapis.com'),
  KEYDESK_IDENTITYTOOLKIT_URL: baseUrl('https://identitytoolkit.googleapis.com'),
  KEYDESK_TRUSTED_PROXIES: z
    .string()
    .regex(/^[0-9]$/, 'must be a number from 0 to 9')
    .default('0')
    .transform(Number),
  KEYDESK_WEBHOOK_TOKENS: webhookTokens.optional(),
  KEYDESK_BUILDKITE_API_TOKEN: apiToken.optional(),
  KEYDESK_BUILDKITE_TEAMS_API_TOKEN: apiToken.optional(),
});

/** The policy file, where KEYDESK_POLICY names none. */
export const DEFAULT_POLICY_FILE = 'policy.yaml';

const WEBHOOK_ERRORS = {
  KEYDESK_WEBHOOK_TOKENS: "is not set: it holds the token of Buildkite's notification service, from Secret Manager",
};

export type Settings = z.output<typeof settingsSchema>;
export type WebhookSettings = Settings & { readonly KEYDESK_WEBHOOK_TOKENS: readonly string[] };

export type Environment = Readonly<Record<string, string | undefined>>;
export type Problems = { readonly problems: readonly string[] };

/** The settings every function shares; an empty variable, or one of space alone, counts as not set. */
export function parseSettings(environment: Environment): { settings: Settings } | Problems {
  return readSettings(settingsSchema, environment);
}

/** The keys in a value of KEYDESK_WEBHOOK_TOKENS; undefined when the webhook function would not start with it. */
export function parseWebhookTokens(value: string): readonly string[] | undefined {
  const parsed = webhookTokens.safeParse(value.trim());
  return parsed.success ? parsed.data : undefined;
}

/** The settings of `webhook`, which cannot do without a key. */
export function parseWebhookSettings(environment: Environment): { settings: WebhookSettings } | Problems {
  const schema = settingsSchema.extend({
    KEYDESK_WEBHOOK_TOKENS: z.string({ error: WEBHOOK_ERRORS.KEYDESK_WEBHOOK_TOKENS }).pipe(webhookTokens),
  });
  return readSettings(schema, environment);
}

/** The settings that a schema asks for. Every problem is found before any is reported. */
export function readSettings<S extends z.ZodType>(
  schema: S,
  environment: Environment,
): { settings: z.output<S> } | Problems {
  const result = schema.safeParse(trimmed(environment));
  return result.success ? { settings: result.data } : { problems: toProblems(result.error) };
}

function trimmed(environment: Environment): Environment {
  const values = Object.entries(environment).map(([name, value]) => [name, value?.trim()] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== ''));
}

function toProblems(error: z.ZodError): string[] {
  return error.issues.map(({ path, message }) => `${String(path[0])} ${message}`);
}

function baseUrlProblem(text: string): string | undefined {
  if (!URL.canParse(text) || /\s/.test(text)) return 'must be an absolute URL';
  const url = new URL(text);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && loopback.has(url.hostname)))
    return 'must be an https URL (http is for 127.0.0.1, localhost and [::1] only)';
  if (url.username || url.password || /[?#]/.test(text)) return 'must be a URL without user, query and fragment';
  return undefined;
}
