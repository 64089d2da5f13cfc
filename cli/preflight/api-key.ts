// The API keys in the policy: of the database's project, and with restrictions that let Keydesk sign in. An API key is public.
// Sources: docs.cloud.google.com/api-keys/docs/reference/rest/v2/keys/lookupKey and v2/projects.locations.keys.

import * as z from 'zod';
import { TO_BE_CREATED } from '../../shared/core/policy/api-key-to-be-created.ts';
import { API_KEY } from '../../shared/core/policy/google-names.ts';
import type { CheckKind } from '../checks/check.ts';
import { READS } from './needed-permissions.ts';
import { projectNumber } from './project.ts';
import { IDENTITY_TOOLKIT } from './sign-in-providers.ts';
import type { Target } from './target.ts';

const API = 'apikeys.googleapis.com';
const SIGN_IN = 'google.cloud.identitytoolkit.v1.AuthenticationService.SignInWithCustomToken';

const lookupShape = z.object({ parent: z.string(), name: z.string().default('') });
const keyShape = z.object({
  deleteTime: z.string().optional(),
  restrictions: z
    .object({
      browserKeyRestrictions: z.unknown().optional(),
      serverKeyRestrictions: z.unknown().optional(),
      androidKeyRestrictions: z.unknown().optional(),
      iosKeyRestrictions: z.unknown().optional(),
      apiTargets: z.array(z.object({ service: z.string(), methods: z.array(z.string()).default([]) })).default([]),
    })
    .prefault({}),
});
type Key = z.output<typeof keyShape>;

type Name =
  | 'api_key_placeholder'
  | 'api_key_of_another_project'
  | 'api_key_deleted'
  | 'api_key_application_restricted'
  | 'api_key_not_for_sign_in'
  | 'api_key_unrestricted';

export const apiKeys: CheckKind<Target, Name> = {
  name: 'api key',
  looksAt: "Whether each API key in the policy is of its database's project, and what its restrictions allow.",
  findings: {
    api_key_placeholder: {
      severity: 'warning',
      what: "The apiKey of {project} in the policy, {key}, does not have the form of Google's API keys. It was not looked up.",
      why: 'Without a key of {project}, no firestore credential is issued.',
      fix: 'Before the first apply, write to-be-created. With create_api_keys = true, which is the default, that apply creates the key. After it, write the value of terraform output api_keys. With create_api_keys = false: gcloud services api-keys create --project={project} --display-name=keydesk --api-target=service=identitytoolkit.googleapis.com',
      undo: 'Write the former text into the policy.',
    },
    api_key_of_another_project: {
      severity: 'error',
      what: 'The API key {key} is not of {project}. It is of {owner}.',
      why: 'Google refuses the sign-in, because signer and API key must be of one project.',
      fix: 'gcloud services api-keys list --project={project}. Put a key of {project} into the policy as apiKey.',
      undo: 'Put the former key into the policy.',
    },
    api_key_deleted: {
      severity: 'error',
      what: 'The API key {key} of {project} is deleted.',
      why: 'Google refuses the sign-in, so no firestore credential is issued.',
      fix: 'gcloud services api-keys create --project={project} --display-name=keydesk --api-target=service=identitytoolkit.googleapis.com',
      undo: 'gcloud services api-keys delete KEY --project={project}',
    },
    api_key_application_restricted: {
      severity: 'error',
      what: 'The API key {key} of {project} is restricted to applications: {restrictions}.',
      why: "Keydesk's sign-in comes from a server without a fixed address. Google refuses it.",
      fix: 'gcloud services api-keys create --project={project} --display-name=keydesk --api-target=service=identitytoolkit.googleapis.com. Put the new key into the policy.',
      undo: 'Put the former key into the policy.',
    },
    api_key_not_for_sign_in: {
      severity: 'error',
      what: 'The API key {key} of {project} may not call the sign-in of identitytoolkit.googleapis.com.',
      why: 'Google refuses the sign-in, so no firestore credential is issued.',
      fix: 'gcloud services api-keys create --project={project} --display-name=keydesk --api-target=service=identitytoolkit.googleapis.com. Put the new key into the policy.',
      undo: 'Put the former key into the policy.',
    },
    api_key_unrestricted: {
      severity: 'warning',
      what: 'The API key {key} of {project} may call every API.',
      why: 'The key is in the policy, which many people read. It is public, and its restrictions are what limits it.',
      fix: 'gcloud services api-keys create --project={project} --display-name=keydesk --api-target=service=identitytoolkit.googleapis.com. Put the new key into the policy.',
      undo: 'Put the former key into the policy.',
    },
  },
  checksOf: ({ apiKeys: all }) =>
    all.map(({ project, apiKey }) => ({
      subject: `${project}, ${shortOf(apiKey)}`,
      look: async (google) => {
        if (apiKey === TO_BE_CREATED) return { found: [], detail: 'the first apply creates the key' };
        const facts = { project, key: shortOf(apiKey) };
        if (!API_KEY.test(apiKey)) return { found: [{ finding: 'api_key_placeholder' as const, facts }] };
        const number = await projectNumber(google, project);
        const { parent, name } = await google.read({
          api: API,
          path: 'v2/keys:lookupKey',
          query: [['keyString', apiKey]],
          shape: lookupShape,
          ...READS.keyOwner,
          on: `the project of the API key ${shortOf(apiKey)}`,
        });
        const owner = /^projects\/([^/]+)/.exec(parent)?.[1] ?? parent;
        if (owner !== number && owner !== project)
          return { found: [{ finding: 'api_key_of_another_project' as const, facts: { ...facts, owner } }] };
        if (name === '') return { found: [{ finding: 'api_key_deleted' as const, facts }] };
        const key = await google.read({
          api: API,
          path: `v2/${name}`,
          shape: keyShape,
          ...READS.key,
          on: project,
        });
        return { found: judgeKey(facts, key) };
      },
    })),
};

function judgeKey(facts: { readonly project: string; readonly key: string }, { deleteTime, restrictions }: Key) {
  const { apiTargets, ...applications } = restrictions;
  const restricted = Object.entries(applications).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  if (deleteTime !== undefined) return [{ finding: 'api_key_deleted' as const, facts }];
  return [
    ...(restricted.length > 0
      ? [
          {
            finding: 'api_key_application_restricted' as const,
            facts: { ...facts, restrictions: restricted.join(', ') },
          },
        ]
      : []),
    ...(apiTargets.length > 0 && !apiTargets.some(allowsSignIn)
      ? [{ finding: 'api_key_not_for_sign_in' as const, facts }]
      : []),
    ...(apiTargets.length === 0 ? [{ finding: 'api_key_unrestricted' as const, facts }] : []),
  ];
}

/** `*` may be the last character of a method. */
function allowsSignIn({
  service,
  methods,
}: {
  readonly service: string;
  readonly methods: readonly string[];
}): boolean {
  const allows = (method: string) =>
    method.endsWith('*') ? SIGN_IN.startsWith(method.slice(0, -1)) : method === SIGN_IN;
  return service === IDENTITY_TOOLKIT && (methods.length === 0 || methods.some(allows));
}

function shortOf(apiKey: string): string {
  return apiKey.length > 8 && apiKey !== TO_BE_CREATED ? `…${apiKey.slice(-4)}` : apiKey;
}
