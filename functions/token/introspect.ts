// `POST /introspect` (RFC 7662): who holds an access token, for what, until when.

import { grantIdOf } from '../../shared/core/grant/id.ts';
import { buildOf } from '../../shared/core/subject/buildkite-job.ts';
import { acceptedToken, type HeldTokenDeps, withToken } from './held-token.ts';

/** For a live token: who holds it, for what, until when. For any other token: that it is not active. */
export function createIntrospectHandler(deps: HeldTokenDeps) {
  const { clock } = deps;
  return withToken(deps, async (grant, token_sha256) => {
    const token = grant && acceptedToken(grant, token_sha256, clock.now());
    if (!grant || !token) return { status: 200, body: { active: false } };
    return {
      status: 200,
      body: {
        active: true,
        token_type: 'Bearer',
        exp: Math.floor(token.expires_at / 1000),
        sub: grant.subject.id,
        username: 'service_account' in grant ? grant.service_account : grantIdOf(grant),
        grant_id: grantIdOf(grant),
        credential: grant.credential,
        environment: grant.environment,
        revocation: grant.revocation,
        renewable: grant.ended_at === null,
        job_id: grant.subject.id,
        ...buildOf(grant.subject),
      },
    };
  });
}
