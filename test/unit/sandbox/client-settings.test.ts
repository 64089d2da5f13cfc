// The variables that point clients at the sandbox.

import { expect, it } from 'vitest';
import { botoFile, CLIENT_SETTINGS, clientVariables, type SandboxPlaces } from '../../../sandbox/client-settings.ts';

const PLACES: SandboxPlaces = {
  policyFile: '/sandbox/policy.yaml',
  keydesk: 'http://127.0.0.1:1',
  reader: 'http://127.0.0.1:8',
  admin: 'http://127.0.0.1:9',
  buildkite: 'http://127.0.0.1:6',
  google: 'http://127.0.0.1:2',
  firestore: '127.0.0.1:3',
  firestoreTls: '127.0.0.1:4',
  googleTls: '127.0.0.1:5',
  credentials: '/sandbox/credentials',
  credentialFile: '/sandbox/credentials/cache.json',
  project: 'acme',
  certificates: '/sandbox/certificates.pem',
  trustStore: '/sandbox/trust.p12',
  settings: '/sandbox/settings',
};

it('name each variable once, and all of them have a value', () => {
  const names = CLIENT_SETTINGS.map(({ variable }) => variable);
  expect(new Set(names).size).toBe(names.length);
  expect(Object.keys(clientVariables(PLACES))).toEqual(names);
});

it('leave out what needs TLS where there is no openssl', () => {
  const { firestoreTls: _f, googleTls: _g, certificates: _c, trustStore: _t, ...others } = PLACES;
  const none = { firestoreTls: undefined, googleTls: undefined, certificates: undefined, trustStore: undefined };
  const left = Object.keys(clientVariables({ ...others, ...none }));
  expect(CLIENT_SETTINGS.map(({ variable }) => variable).filter((name) => !left.includes(name))).toEqual([
    'FIRESTORE_TLS',
    'GRPC_DEFAULT_SSL_ROOTS_FILE_PATH',
    'SSL_CERT_FILE',
    'TRUST_STORE',
    'BOTO_CONFIG',
    'CLOUDSDK_CORE_CUSTOM_CA_CERTS_FILE',
  ]);
});

it('never set FIRESTORE_EMULATOR_HOST, with which clients send the emulator no token', () => {
  expect(clientVariables(PLACES)).not.toHaveProperty('FIRESTORE_EMULATOR_HOST');
});

it('point gsutil at Cloud Storage with TLS, and give it a folder of its own for tokens', () => {
  const lines = botoFile(PLACES).split('\n');
  expect(lines).toEqual(
    expect.arrayContaining([
      'gs_json_host = 127.0.0.1',
      'gs_json_port = 5',
      'gs_external_account_file = /sandbox/credentials/cache.json',
      'state_dir = /sandbox/settings/gsutil',
    ]),
  );
});
