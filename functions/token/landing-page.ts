// What a browser sees at the base URL of the token function: a static page, the same for everybody. It has no data, no script, no form
// and no link to another host.

import { VERSION } from '../../shared/version.ts';
import type { HttpResponse } from '../runtime/http-server.ts';

export const LANDING_PAGE: HttpResponse = {
  status: 200,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex',
  },
  body: `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Keydesk</title>
<style>
  body { max-width: 42rem; margin: 3rem auto; padding: 0 1rem; font: 1rem/1.5 system-ui, sans-serif; color: #222; background: #fff }
  pre { overflow-x: auto; padding: .75rem; background: #f2f2f2 }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #111 } pre { background: #222 } a { color: #8ab4f8 } }
</style>
<h1>Keydesk</h1>
<p>This service issues short-lived Google Cloud credentials to Buildkite jobs. A policy says which jobs get which credential.
When the job ends, the credential is revoked or not renewed.</p>
<p>People do not sign in here. A step requests a credential with the job token that Buildkite gives every job:</p>
<pre>JOB_TOKEN=$(buildkite-agent oidc request-token --audience AUDIENCE --claim organization_id --claim pipeline_id)
curl --fail-with-body --data "" https://THIS_HOST/token/CREDENTIAL \\
  -H "Accept: text/plain" -H @- &lt;&lt;&lt;"Authorization: Bearer $JOB_TOKEN"</pre>
<p>AUDIENCE and the names of the credentials are in your organization's policy. If a request is refused, the response says why, and
<code>docs/TROUBLESHOOTING.md</code> in Keydesk's repository says what to do.</p>
<ul>
<li><a href="/.well-known/oauth-authorization-server">Metadata</a> for OAuth clients (RFC 8414)</li>
<li><a href="/health">Health</a>, version and SHA-256 of the policy</li>
</ul>
<p>Keydesk ${VERSION}. The documentation is README.md and the folder <code>docs</code> in Keydesk's repository, at this version.</p>
</html>
`,
};
