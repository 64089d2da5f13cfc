// The keys by which Keydesk verifies job tokens: Buildkite's endpoint responds with at least one that it can use.
// Source: RFC 7517; buildkite.com/docs/pipelines/security/oidc.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './reads.ts';
import type { DoctorTarget } from './target.ts';

const ISSUER = 'agent.buildkite.com';

const keysShape = z.object({ keys: z.array(z.object({ kty: z.string(), kid: z.string().default('') })) });

type Name = 'issuer_has_no_keys';

export const issuerKeys: CheckKind<DoctorTarget, Name> = {
  name: 'key endpoint',
  looksAt: "Whether the issuer's keys can be read, from where this command runs.",
  findings: {
    issuer_has_no_keys: {
      severity: 'error',
      what: 'https://{issuer}/.well-known/jwks has no RSA key.',
      why: 'No job token can be verified, and nothing is issued.',
      fix: 'Look at https://www.buildkitestatus.com, and ask support@buildkite.com.',
      undo: 'Nothing changes.',
    },
  },
  checksOf: () => [
    {
      subject: ISSUER,
      look: async (google) => {
        const { keys } = await google.read({
          api: ISSUER,
          path: '.well-known/jwks',
          shape: keysShape,
          ...READS.anybody,
          on: ISSUER,
          unauthenticated: {},
        });
        const usable = keys.filter(({ kty, kid }) => kty === 'RSA' && kid !== '');
        if (usable.length === 0)
          return { found: [{ finding: 'issuer_has_no_keys' as const, facts: { issuer: ISSUER } }] };
        return { found: [], detail: `keys: ${usable.length}` };
      },
    },
  ],
};
