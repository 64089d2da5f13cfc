// Firebase Authentication of each data project: initialized, and its settings about users.
// Source: docs.cloud.google.com/identity-platform/docs/reference/rest/v2/Config.

import * as z from 'zod';
import type { CheckKind } from '../checks/check.ts';
import type { Google } from '../checks/google.ts';
import { READS } from './needed-permissions.ts';
import { enabledProviders, IDENTITY_TOOLKIT, PROVIDER_LISTS } from './sign-in-providers.ts';
import type { Target } from './target.ts';

const on = z.object({ enabled: z.boolean().default(false) }).prefault({});
const configShape = z.object({
  subtype: z.string().default(''),
  signIn: z.object({ email: on, phoneNumber: on, anonymous: on }).prefault({}),
  blockingFunctions: z.object({ triggers: z.record(z.string(), z.unknown()).default({}) }).prefault({}),
  client: z
    .object({ permissions: z.object({ disabledUserSignup: z.boolean().default(false) }).prefault({}) })
    .prefault({}),
});
type Config = z.output<typeof configShape>;

type Name = 'authentication_missing' | 'blocking_functions' | 'sign_up_disabled' | 'project_sign_in';

export const authentication: CheckKind<Target, Name> = {
  name: 'authentication',
  looksAt:
    'Whether Firebase Authentication is initialized in each data project, its blocking functions, who may sign up, and its sign-in providers.',
  findings: {
    authentication_missing: {
      severity: 'error',
      what: 'Firebase Authentication is not initialized in {project}.',
      why: 'Google refuses the sign-in with CONFIGURATION_NOT_FOUND, so no firestore credential is issued.',
      fix: 'Firebase console of {project}, Authentication, Get started. Enable no sign-in provider.',
      undo: 'Authentication cannot be removed from a project. Without a provider nobody can sign in.',
    },
    blocking_functions: {
      severity: 'warning',
      what: 'Blocking functions run in {project}: {triggers}.',
      why: "They can refuse or delay Keydesk's sign-in. Whether Google calls them for a custom token is not documented.",
      fix: 'Let the functions accept users whose ID begins with "keydesk", or put the database in another project.',
      undo: 'Let the functions decide as before.',
    },
    sign_up_disabled: {
      severity: 'warning',
      what: 'Users may not sign up in {project}.',
      why: 'A sign-in that would create a user may be refused. Whether that holds for a custom token is not documented.',
      fix: 'Before the first job, run: keydesk users create --policy POLICY_FILE --project {project}',
      undo: 'Delete the users in the Firebase console of {project}: Authentication, Users.',
    },
    project_sign_in: {
      severity: 'warning',
      what: 'Sign-in by {providers} is enabled in {project}, and the policy names no tenant there.',
      why: "A job can link a provider to its Firebase user and sign in again after it has ended. Other people can become users of the project. Keydesk's rules reject these users. Other rules of the project may accept any signed-in user.",
      fix: 'Create a tenant without sign-in providers in {project}, and name it as tenant in the policy. Or disable the providers.',
      undo: 'Enable the providers again, or remove the tenant from the policy.',
    },
  },
  checksOf: ({ dataProjects, userGroups }) =>
    dataProjects.map((project) => ({
      subject: project,
      look: async (google) => {
        const config = await google.find(
          {
            api: IDENTITY_TOOLKIT,
            path: `v2/projects/${project}/config`,
            shape: configShape,
            ...READS.authentication,
            on: project,
          },
          (_, error) => error?.message.startsWith('CONFIGURATION_NOT_FOUND') ?? false,
        );
        if (!config) return { found: [{ finding: 'authentication_missing' as const, facts: { project } }] };
        const withoutTenant = userGroups.some((group) => group.project === project && group.tenant === undefined);
        return {
          found: [
            ...judgeSettings(project, config, withoutTenant),
            ...(withoutTenant ? judgeProviders(project, await providersOf(google, project, config)) : []),
          ],
        };
      },
    })),
};

/** @param withoutTenant whether Keydesk's users are of the project itself */
function judgeSettings(project: string, { blockingFunctions, client }: Config, withoutTenant: boolean) {
  const triggers = Object.keys(blockingFunctions.triggers);
  return [
    ...(triggers.length > 0
      ? [{ finding: 'blocking_functions' as const, facts: { project, triggers: triggers.join(', ') } }]
      : []),
    ...(withoutTenant && client.permissions.disabledUserSignup
      ? [{ finding: 'sign_up_disabled' as const, facts: { project } }]
      : []),
  ];
}

function judgeProviders(project: string, providers: readonly string[]) {
  if (providers.length === 0) return [];
  return [{ finding: 'project_sign_in' as const, facts: { project, providers: providers.join(', ') } }];
}

/** OIDC and SAML need Identity Platform: firebase.google.com/docs/auth/web/openid-connect. */
async function providersOf(google: Google, project: string, { signIn, subtype }: Config): Promise<string[]> {
  const lists = subtype === 'FIREBASE_AUTH' ? (['defaultSupportedIdpConfigs'] as const) : PROVIDER_LISTS;
  return [
    ...(signIn.email.enabled ? ['e-mail'] : []),
    ...(signIn.phoneNumber.enabled ? ['phone'] : []),
    ...(signIn.anonymous.enabled ? ['anonymous'] : []),
    ...(await enabledProviders(google, { project, parent: `projects/${project}`, lists })),
  ];
}
