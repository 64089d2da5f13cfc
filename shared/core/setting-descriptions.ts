// What each environment variable means, for docs/CONFIGURATION.md alone: the functions do not load this. The compiler checks that every
// setting has a description.

import type { OwnOperatorSettings } from './operator-settings.ts';
import type { Settings } from './settings.ts';

interface SettingDescription {
  readonly meaning: string;
  readonly example: string;
  /** A value that is refused, which shows how. */
  readonly wrong?: string;
}

/** Of the settings that `settings.ts` and `operator-settings.ts` check. */
export const SETTINGS: Readonly<Record<keyof Settings | keyof OwnOperatorSettings, SettingDescription>> = {
  GOOGLE_CLOUD_PROJECT: {
    meaning: 'The Google Cloud project that holds the ledger.',
    example: 'acme-keydesk',
    wrong: 'Acme Keydesk',
  },
  KEYDESK_DATABASE: {
    meaning: 'The ID of the Firestore database that is the ledger. Give it a database of its own.',
    example: 'keydesk',
    wrong: 'Keydesk',
  },
  KEYDESK_WEBHOOK_TOKENS: {
    meaning:
      "The token of Buildkite's notification service, from Secret Manager. During a rotation two, separated by a comma: a webhook may be signed by either.",
    example: 'NEW_TOKEN,OLD_TOKEN',
    wrong: 'one,two,three',
  },
  KEYDESK_BUILDKITE_API_TOKEN: {
    meaning:
      'A Buildkite API token with `read_builds` and nothing else, from Secret Manager. Without it the sweep cannot find lost webhooks, and their grants end by expiry.',
    example: 'bkua_0123456789abcdef',
    wrong: 'bkua_0123 456789',
  },
  KEYDESK_BUILDKITE_TEAMS_API_TOKEN: {
    meaning:
      'Another Buildkite API token with `read_teams` and nothing else, from Secret Manager. Its user must be able to see the teams that the policy names. Without it the sweep cannot read teams, and no rule that needs one grants anything.',
    example: 'bkua_0123456789abcdef',
    wrong: 'bkua_0123 456789',
  },
  KEYDESK_OPERATOR_AUDIENCES: {
    meaning:
      "For `reader` and `admin`: the audiences of ID tokens that are accepted, separated by commas. They are the function's own URL, and gcloud's client ID for people who run `gcloud auth print-identity-token`.",
    example: 'https://keydesk-reader-123456789012.europe-west1.run.app,32555940559.apps.googleusercontent.com',
    wrong: 'one two',
  },
  KEYDESK_GOOGLE_KEYS_URL: {
    meaning: "The URL of the keys that sign Google's ID tokens, for `reader` and `admin`.",
    example: 'https://www.googleapis.com/oauth2/v3/certs',
  },
  KEYDESK_ISSUER: {
    meaning: 'The issuer of job tokens. Its keys are at `/.well-known/jwks` under this URL.',
    example: 'https://agent.buildkite.com',
    wrong: 'agent.buildkite.com',
  },
  KEYDESK_BUILDKITE_API_URL: {
    meaning: "The URL of Buildkite's REST API.",
    example: 'https://api.buildkite.com',
    wrong: 'http://api.buildkite.com',
  },
  KEYDESK_IAMCREDENTIALS_URL: {
    meaning: 'The URL of the IAM Credentials API, which mints tokens.',
    example: 'https://iamcredentials.googleapis.com',
    wrong: 'https://iamcredentials.googleapis.com/?alt=json',
  },
  KEYDESK_IAM_URL: {
    meaning: 'The URL of the IAM API, which disables and enables pooled accounts.',
    example: 'https://iam.googleapis.com',
  },
  KEYDESK_STS_URL: {
    meaning: 'The URL of the Security Token Service, which narrows tokens to a bucket.',
    example: 'https://sts.googleapis.com',
  },
  KEYDESK_IDENTITYTOOLKIT_URL: {
    meaning: 'The URL of the Identity Toolkit API, which signs in the users of `firestore` credentials.',
    example: 'https://identitytoolkit.googleapis.com',
  },
  KEYDESK_TRUSTED_PROXIES: {
    meaning:
      "How many entries of `X-Forwarded-For` your own proxies add after the caller's address. 0 is right for `run.app`, and 1 for one load balancer of Google.",
    example: '1',
    wrong: 'one',
  },
};

/** Of the variables that are read as they are. */
export const OTHER_VARIABLES = {
  KEYDESK_POLICY: {
    meaning:
      'The path of the policy file. Every mistake in the policy is reported like a wrong setting, with its file and line.',
    example: 'policy.yaml',
  },
  K_REVISION: {
    meaning:
      'The revision of the service, as Cloud Run sets it. `deployments` in the ledger has it. Do not set it yourself.',
    example: 'keydesk-token-00001-abc',
  },
  FIRESTORE_EMULATOR_HOST: {
    meaning: 'Host and port of a Firestore emulator, for tests. Never set it on a deployed function.',
    example: '127.0.0.1:8080',
  },
  GOOGLE_OAUTH_ACCESS_TOKEN: {
    meaning:
      'An access token for `keydesk users create` and `keydesk doctor`, in place of the application default credentials.',
    example: '$(gcloud auth print-access-token)',
  },
  KEYDESK_GOOGLE_APIS_URL: {
    meaning:
      "A server that has each of Google's APIs under a folder of its host, for tests of `keydesk doctor` and `keydesk explain`. It receives your access token.",
    example: 'http://127.0.0.1:9000',
  },
  KEYDESK_READER_URL: {
    meaning: 'The URL of the function `reader`, in place of `--reader`: `terraform output -raw reader_url`.',
    example: 'https://keydesk-reader-123456789012.europe-west1.run.app',
  },
  KEYDESK_ADMIN_URL: {
    meaning: 'The URL of the function `admin`, in place of `--admin`: `terraform output -raw admin_url`.',
    example: 'https://keydesk-admin-123456789012.europe-west1.run.app',
  },
  KEYDESK_ID_TOKEN: {
    meaning:
      'An ID token for commands that call `reader` or `admin`, in place of the one that gcloud makes for you. Its audience must be in `KEYDESK_OPERATOR_AUDIENCES`.',
    example: '$(gcloud auth print-identity-token)',
  },
  KEYDESK_IMPERSONATE: {
    meaning:
      'A service account as which commands call `reader` or `admin`, in place of `--impersonate`. You need `roles/iam.serviceAccountOpenIdTokenCreator` on it.',
    example: 'drill@acme-ops.iam.gserviceaccount.com',
  },
  NO_COLOR: { meaning: 'Any value turns colour off.', example: '1' },
} as const satisfies Readonly<Record<string, SettingDescription>>;
