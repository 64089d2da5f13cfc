// A certificate authority for one run, and one certificate of it for localhost, made with openssl. Clients that need TLS, as
// they use it with Google and with a deployed Keydesk, trust this authority.

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';

export interface Authority {
  /** The path of the authority's certificate, in PEM. */
  readonly certificateFile: string;
  /** In PEM, for a server that clients reach as `localhost`. */
  readonly localhost: { readonly key: Buffer; readonly cert: Buffer };
  remove(): void;
}

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
const VALID = ['-days', '1'];

/** Throws when openssl is missing or fails. */
export function makeAuthority(): Authority {
  const folder = mkdtempSync(join(tmpdir(), 'keydesk-authority-'));
  const file = (name: string) => join(folder, name);
  const openssl = (...args: readonly string[]) =>
    execFileSync('openssl', args, { stdio: 'ignore', timeout: 10_000, cwd: folder });
  const authority = ['-subj', '/CN=Keydesk sandbox authority', '-keyout', 'ca-key.pem', '-out', 'ca.pem'];
  openssl('req', '-x509', ...NEW_KEY, ...VALID, ...authority);
  openssl('req', '-new', ...NEW_KEY, '-subj', '/CN=localhost', '-keyout', 'key.pem', '-out', 'request.pem');
  writeFileSync(file('extensions'), 'subjectAltName=DNS:localhost,IP:127.0.0.1\n');
  const signer = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-extfile', 'extensions'];
  openssl('x509', '-req', '-in', 'request.pem', ...VALID, ...signer, '-out', 'cert.pem');
  return {
    certificateFile: file('ca.pem'),
    localhost: { key: readFileSync(file('key.pem')), cert: readFileSync(file('cert.pem')) },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

export const TRUST_STORE_PASSWORD = 'changeit';

/** @returns the path of a key store for Java with the authority's certificate. Throws when keytool is missing or fails. */
export async function makeTrustStore({ certificateFile }: Authority): Promise<string> {
  const path = join(dirname(certificateFile), 'trust.p12');
  const entry = ['-importcert', '-noprompt', '-alias', 'sandbox', '-file', certificateFile];
  const store = ['-keystore', path, '-storetype', 'PKCS12', '-storepass', TRUST_STORE_PASSWORD];
  await promisify(execFile)('keytool', [...entry, ...store], { timeout: 30_000 });
  return path;
}
