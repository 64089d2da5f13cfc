// Builds the client on Google's libraries for Java, and runs it so that it trusts a test's certificate authority.

import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TRUST_STORE_PASSWORD } from '../../../sandbox/authority.ts';
import type { Command } from './child.ts';
import type { NoWayOut } from './no-way-out.ts';
import { build, cacheFolder } from './toolchain.ts';

const SOURCE = fileURLToPath(new URL('java', import.meta.url));
const FILES = ['pom.xml', 'src/Program.java'];
const BUILT = 'java-client-';

/** @returns the class path of the program and its libraries; Maven runs only when the sources differ from those last built */
export async function buildJavaClient(): Promise<string> {
  const hash = createHash('sha256');
  for (const file of FILES) hash.update(readFileSync(join(SOURCE, file)));
  const name = `${BUILT}${hash.digest('hex').slice(0, 16)}`;
  const folder = join(cacheFolder(), name);
  const complete = join(folder, 'complete');
  if (!existsSync(complete)) {
    for (const other of readdirSync(cacheFolder()))
      if (other.startsWith(BUILT)) rmSync(join(cacheFolder(), other), { recursive: true });
    const args = ['--batch-mode', '--quiet', '-Dstyle.color=never', `-Dbuild.folder=${folder}`, 'compile'];
    await build({ file: 'mvn', args, cwd: SOURCE }, 'Maven Central, or the repository in your Maven settings');
    writeFileSync(complete, '');
  }
  return [join(folder, 'classes'), join(folder, 'libraries', '*')].join(delimiter);
}

/** @param trustStore path of one that `makeTrustStore` wrote */
export function javaCommand(classPath: string, trustStore: string, exit: NoWayOut): Command {
  const { hostname, port } = new URL(exit.env.http_proxy ?? '');
  const properties = {
    'javax.net.ssl.trustStore': trustStore,
    'javax.net.ssl.trustStorePassword': TRUST_STORE_PASSWORD,
    // Java does not read the proxy from the environment.
    'http.proxyHost': hostname,
    'http.proxyPort': port,
    'https.proxyHost': hostname,
    'https.proxyPort': port,
    'http.nonProxyHosts': 'localhost|127.0.0.1',
  };
  // It runs for seconds, in which the second compiler and a parallel collector cost more than they give.
  const args = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-cp', classPath];
  for (const [name, value] of Object.entries(properties)) args.push(`-D${name}=${value}`);
  return { file: 'java', args: [...args, 'Program'], env: {} };
}
