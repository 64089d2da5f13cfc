// Google's client libraries for Go: cloud.google.com/go/auth and golang.org/x/oauth2, and Cloud Storage and Firestore on the
// former.

import { needsAll } from '../../fixtures/needs.ts';
import { buildGoClient } from './go.ts';
import { describeLibrary } from './library-cases.ts';

describeLibrary("Google's libraries for Go", {
  needs: needsAll('go', 'openssl'),
  requests: ['request', 'requestByOAuth2'],
  takesHttp: true,
  prepare: async ({ certificateFile }) => ({
    file: await buildGoClient(),
    args: [],
    env: { SSL_CERT_FILE: certificateFile },
  }),
});
