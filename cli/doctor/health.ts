// What the function `token` says of itself: its release, and the policy by which it decides.

import * as z from 'zod';
import { VERSION } from '../../shared/version.ts';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './reads.ts';
import { hostOf, serviceName } from './service.ts';
import type { DoctorTarget } from './target.ts';

const healthShape = z.object({ status: z.string(), version: z.string(), policy_sha256: z.string() });

type Name = 'version_differs' | 'policy_differs';

export const health: CheckKind<DoctorTarget, Name> = {
  name: 'health',
  looksAt: 'Whether the function `token` responds at `GET /health`, with this release and this policy.',
  findings: {
    version_differs: {
      severity: 'warning',
      what: '{service} is release {found}. This command is of release {expected}.',
      why: 'This command compares with what its own release needs. Its other findings may be about that difference.',
      fix: 'Run keydesk doctor of release {found}. Or deploy release {expected}.',
      undo: 'Deploy release {found} again.',
    },
    policy_differs: {
      severity: 'error',
      what: '{service} decides by the policy {found}. The file has {expected}.',
      why: 'What was reviewed is not what is in force. The other checks compare with the file.',
      fix: 'Deploy the file: keydesk package, then terraform apply. Or check the file that was deployed.',
      undo: 'Deploy the former policy again.',
    },
  },
  checksOf: (target) => [
    {
      subject: serviceName(target, 'token'),
      look: async (google) => {
        const service = serviceName(target, 'token');
        const { version, policy_sha256 } = await google.read({
          api: hostOf(target, 'token'),
          path: 'health',
          shape: healthShape,
          ...READS.anybody,
          on: service,
          unauthenticated: {},
        });
        return {
          found: [
            ...(version === VERSION
              ? []
              : [{ finding: 'version_differs' as const, facts: { service, found: version, expected: VERSION } }]),
            ...(policy_sha256 === target.policySha256
              ? []
              : [
                  {
                    finding: 'policy_differs' as const,
                    facts: { service, found: policy_sha256, expected: target.policySha256 },
                  },
                ]),
          ],
          detail: `release ${version}`,
        };
      },
    },
  ],
};
