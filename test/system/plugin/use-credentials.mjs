// Run by steps of the tests: Google's own library with whatever credentials the step has. Prints SHA-256s, not tokens.
// Each further argument is a file to wait for before the next token is fetched as if the one before had expired.

import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { GoogleAuth } from 'google-auth-library';

// With a project the library does not run gcloud to find one.
const client = await new GoogleAuth({
  scopes: ['https://www.googleapis.com/auth/datastore'],
  projectId: 'any',
}).getClient();

async function tell() {
  const { token } = await client.getAccessToken();
  process.stdout.write(`sha256 ${createHash('sha256').update(token).digest('hex')}\n`);
}

await tell();
for (const file of process.argv.slice(2)) {
  while (!existsSync(file)) await new Promise((resolve) => setTimeout(resolve, 50));
  client.cachedAccessToken.expiry_date = Date.now() - 1000;
  await tell();
}
