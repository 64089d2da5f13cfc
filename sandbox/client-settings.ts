// The environment variables that point each client at the sandbox: one table for `npm start -- --shell` and docs/CLIENTS.md.

import { PEOPLE_API_TOKEN } from './fakes/buildkite/teams.ts';

/** Where the sandbox's servers are, and the files that clients need. */
export interface SandboxPlaces {
  /** The absolute path of the policy's file. */
  readonly policyFile: string;
  /** URL of the function token. */
  readonly keydesk: string;
  /** URLs of the functions reader and admin. */
  readonly reader: string;
  readonly admin: string;
  /** URL of the fake Buildkite. */
  readonly buildkite: string;
  /** URL of the fake Google. */
  readonly google: string;
  /** host:port of the Firestore emulator. */
  readonly firestore: string;
  /** host:port of a TLS proxy of the Firestore emulator; undefined without openssl. */
  readonly firestoreTls: string | undefined;
  /** host:port of a TLS proxy of the fake Google; undefined without openssl. */
  readonly googleTls: string | undefined;
  /** The folder of the credential files. */
  readonly credentials: string;
  /** The credential file that clients use unless they are given another. */
  readonly credentialFile: string;
  /** The Google Cloud project of the first database. */
  readonly project: string;
  /** PEM file with the usual certificate authorities and the sandbox's; undefined without openssl. */
  readonly certificates: string | undefined;
  /** Key store for Java; undefined without openssl or keytool. */
  readonly trustStore: string | undefined;
  /** A folder for the settings of gcloud and gsutil. */
  readonly settings: string;
}

interface ClientSetting {
  readonly client: string;
  readonly variable: string;
  readonly meaning: string;
  readonly value: (places: SandboxPlaces) => string | undefined;
}

/** In the order of docs/CLIENTS.md. */
export const CLIENT_SETTINGS: readonly ClientSetting[] = [
  { client: 'all', variable: 'KEYDESK', meaning: 'URL of Keydesk', value: ({ keydesk }) => keydesk },
  {
    client: 'keydesk',
    variable: 'KEYDESK_POLICY',
    meaning: "path of the sandbox's policy file",
    value: ({ policyFile }) => policyFile,
  },
  {
    client: 'keydesk',
    variable: 'KEYDESK_READER_URL',
    meaning: 'URL of the function reader',
    value: ({ reader }) => reader,
  },
  {
    client: 'keydesk',
    variable: 'KEYDESK_ADMIN_URL',
    meaning: 'URL of the function admin',
    value: ({ admin }) => admin,
  },
  {
    client: 'keydesk',
    variable: 'KEYDESK_BUILDKITE_API_URL',
    meaning: "URL of Buildkite's REST API, for `keydesk ids`",
    value: ({ buildkite }) => buildkite,
  },
  {
    client: 'keydesk',
    variable: 'BUILDKITE_API_TOKEN',
    meaning: 'an API token with `read_organizations`, `read_pipelines` and `read_teams`',
    value: () => PEOPLE_API_TOKEN,
  },
  {
    client: 'all',
    variable: 'FIRESTORE',
    meaning: 'URL of Firestore, for REST',
    value: ({ firestore }) => `http://${firestore}`,
  },
  { client: 'all', variable: 'STORAGE', meaning: 'URL of Cloud Storage', value: ({ google }) => google },
  {
    client: 'all',
    variable: 'CREDENTIALS',
    meaning:
      'folder with a credential file for each credential of the policy: `NAME.json`, and `NAME.https.json` with TLS',
    value: ({ credentials }) => credentials,
  },
  {
    client: 'libraries, Terraform',
    variable: 'GOOGLE_APPLICATION_CREDENTIALS',
    meaning: 'the credential file in use',
    value: ({ credentialFile }) => credentialFile,
  },
  {
    client: 'libraries, Terraform',
    variable: 'GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES',
    meaning: '`1`: a credential file may name a command',
    value: () => '1',
  },
  {
    client: 'Node',
    variable: 'GOOGLE_CLOUD_PROJECT',
    meaning: 'the project; without it the library looks for one on the metadata server',
    value: ({ project }) => project,
  },
  {
    client: 'Firestore over gRPC',
    variable: 'FIRESTORE_TLS',
    meaning: '`host:port` of Firestore with TLS, for the `host` or `endpoint` option',
    value: ({ firestoreTls }) => firestoreTls,
  },
  {
    client: 'Node, Python',
    variable: 'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
    meaning: 'certificate authorities for gRPC',
    value: ({ certificates }) => certificates,
  },
  {
    client: 'Go',
    variable: 'SSL_CERT_FILE',
    meaning: 'certificate authorities',
    value: ({ certificates }) => certificates,
  },
  {
    client: 'Java',
    variable: 'TRUST_STORE',
    meaning: 'key store for `-Djavax.net.ssl.trustStore`; its password is `changeit`',
    value: ({ trustStore }) => trustStore,
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_CONFIG',
    meaning: 'a folder of its own for settings and tokens. `start-job` empties it',
    value: ({ settings }) => `${settings}/gcloud`,
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE',
    meaning: 'the API of Cloud Storage',
    value: ({ google }) => `${google}/storage/v1/`,
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_CORE_DISABLE_PROMPTS',
    meaning: '`1`: no questions',
    value: () => '1',
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_CORE_CHECK_GCE_METADATA',
    meaning: '`0`: no request to the metadata server',
    value: () => '0',
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_CORE_DISABLE_USAGE_REPORTING',
    meaning: '`1`: no usage reports',
    value: () => '1',
  },
  {
    client: 'gcloud',
    variable: 'CLOUDSDK_COMPONENT_MANAGER_DISABLE_UPDATE_CHECK',
    meaning: '`1`: no check for updates',
    value: () => '1',
  },
  {
    client: 'gsutil',
    variable: 'BOTO_CONFIG',
    meaning:
      'settings of gsutil: the host of Cloud Storage, the credential file, and a `state_dir` of its own, which `start-job` empties',
    value: ({ settings, googleTls }) => googleTls && `${settings}/boto`,
  },
  {
    client: 'gcloud, gsutil',
    variable: 'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
    meaning: 'certificate authorities',
    value: ({ certificates }) => certificates,
  },
  {
    client: 'gsutil',
    variable: 'CLOUDSDK_CORE_PASS_CREDENTIALS_TO_GSUTIL',
    meaning: '`0`: gsutil uses the credential file, not the login of gcloud',
    value: () => '0',
  },
  {
    client: 'Terraform',
    variable: 'GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT',
    meaning: 'the API of Cloud Storage for the `gcs` backend',
    value: ({ google }) => `${google}/storage/v1/b`,
  },
  {
    client: 'Terraform',
    variable: 'CHECKPOINT_DISABLE',
    meaning: '`1`: no check for updates',
    value: () => '1',
  },
];

/** The variables, without those whose files the machine cannot make. */
export function clientVariables(places: SandboxPlaces): Readonly<Record<string, string>> {
  return Object.fromEntries(
    CLIENT_SETTINGS.flatMap(({ variable, value }) => {
      const known = value(places);
      return known === undefined ? [] : [[variable, known]];
    }),
  );
}

/** What gsutil reads from BOTO_CONFIG. It uses TLS only. */
export function botoFile({ googleTls = '', credentialFile, settings, certificates = '' }: SandboxPlaces): string {
  const [hostname, port] = googleTls.split(':');
  return `[Credentials]
gs_external_account_file = ${credentialFile}
gs_json_host = ${hostname}
gs_json_port = ${port}

[Boto]
https_validate_certificates = True
ca_certificates_file = ${certificates}

[GSUtil]
state_dir = ${settings}/gsutil
software_update_check_period = 0
default_project_id = sandbox
prefer_api = json
`;
}
