// App Check: where it is enforced, Google rejects what Keydesk and its jobs send.
// Sources: firebase.google.com/docs/reference/appcheck/rest/v1/projects.services; firebase.google.com/docs/app-check/enable-enforcement.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import { projectNumber } from './project.ts';
import type { Target } from './target.ts';

const API = 'firebaseappcheck.googleapis.com';
const SERVICES = ['firestore.googleapis.com', 'identitytoolkit.googleapis.com'] as const;

const serviceShape = z.object({ enforcementMode: z.string().default('OFF') });

type Name = 'app_check_on_firestore' | 'app_check_on_sign_in';

export const appCheck: CheckKind<Target, Name> = {
  name: 'app check',
  looksAt: 'Whether App Check is enforced for Cloud Firestore or Authentication, in each data project.',
  findings: {
    app_check_on_firestore: {
      severity: 'error',
      what: 'App Check is enforced for Cloud Firestore in {project}.',
      why: 'Jobs have no App Check token. Google rejects each request with a firestore credential before the security rules are evaluated.',
      fix: 'Firebase console of {project}, App Check, APIs, Cloud Firestore: set it to unenforced. Or give jobs a database in another project.',
      undo: 'Set it to enforced again.',
    },
    app_check_on_sign_in: {
      severity: 'error',
      what: 'App Check is enforced for Authentication in {project}.',
      why: "Google rejects Keydesk's sign-in, so no firestore credential is issued.",
      fix: 'Firebase console of {project}, App Check, APIs, Authentication: set it to unenforced.',
      undo: 'Set it to enforced again.',
    },
  },
  checksOf: ({ dataProjects }) =>
    dataProjects.flatMap((project) =>
      SERVICES.map((service) => ({
        subject: `${project}, ${service}`,
        look: async (google) => {
          const number = await projectNumber(google, project);
          const { enforcementMode } = await google.read({
            api: API,
            path: `v1/projects/${number}/services/${service}`,
            shape: serviceShape,
            ...READS.appCheck,
            on: project,
          });
          if (enforcementMode !== 'ENFORCED') return { found: [], detail: enforcementMode.toLowerCase() };
          const finding =
            service === 'firestore.googleapis.com'
              ? ('app_check_on_firestore' as const)
              : ('app_check_on_sign_in' as const);
          return { found: [{ finding, facts: { project } }] };
        },
      })),
    ),
};
