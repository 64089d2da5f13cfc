// Credentials, their databases and the organization: what works, and probably not as it is meant.

import { projectOfAccount } from '../policy/account-email.ts';
import { TO_BE_CREATED } from '../policy/api-key-to-be-created.ts';
import { formatDuration } from '../policy/duration.ts';
import { API_KEY } from '../policy/google-names.ts';
import type { WrittenPolicy } from '../policy/policy.ts';
import type { PolicyWarning } from './codes.ts';
import { placeholderIn } from './placeholders.ts';

/** Seconds. Google's Node client renews a token that has five minutes or less; one minute more is for the request. */
const MIN_COMFORTABLE_TTL = 360;

export function credentialWarnings({ credentials }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(credentials).flatMap(([name, { ttl }]) => [
    ...(ttl < MIN_COMFORTABLE_TTL
      ? [{ code: 'short_ttl' as const, path: ['credentials', name, 'ttl'], message: shortTtl(ttl) }]
      : []),
    // Source: docs.cloud.google.com/run/docs/known-issues (reserved URL paths).
    ...(name.endsWith('z')
      ? [
          {
            code: 'unroutable_name' as const,
            path: ['credentials', name],
            message: `ends in z. Cloud Run reserves some paths that end in z, so POST /token/${name} may not reach Keydesk. Choose another name.`,
          },
        ]
      : []),
  ]);
}

/** When clients renew, as measured: Node at 5m; Python, Java and Go at 3m45s; Rust each 10 seconds under 4m. */
function shortTtl(ttl: number): string {
  const clients = [
    'Node requests a new token on each call',
    ...(ttl <= 240 ? ['Rust requests one every 10 seconds'] : []),
    ...(ttl <= 225 ? ['Python, Java and Go request one on each call too'] : []),
  ];
  return `is ${formatDuration(ttl)}, and Google's clients renew a token minutes before its end. ${clients.join('. ')}. Use 10m to 15m.`;
}

/** Those of the documentation have a warning where they are used for anything else. */
const EXAMPLE_KEY = /^AIzaSyExample/;

export function databaseWarnings({ databases }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(databases).flatMap(([name, { database, apiKey }]): PolicyWarning[] => [
    ...(database === 'default'
      ? [
          {
            code: 'default_database' as const,
            path: ['databases', name, 'database'],
            message: 'is default, and the default database of a project is called (default). Write "(default)".',
          },
        ]
      : []),
    ...(API_KEY.test(apiKey) ||
    EXAMPLE_KEY.test(apiKey) ||
    apiKey === TO_BE_CREATED ||
    placeholderIn(apiKey) !== undefined
      ? []
      : [{ code: 'api_key_form' as const, path: ['databases', name, 'apiKey'], message: apiKeyForm(apiKey) }]),
  ]);
}

function apiKeyForm(apiKey: string): string {
  const found = apiKey.startsWith('AIza') ? `has ${apiKey.length} characters` : 'does not begin with AIza';
  return `${found}, and Google's API keys are AIza and 35 characters more. Copy the value of terraform output api_keys. Before the first apply, write ${TO_BE_CREATED}.`;
}

export function signerWarnings({ databases }: WrittenPolicy): PolicyWarning[] {
  return Object.entries(databases).flatMap(([name, { project, signer }]) => {
    const other = projectOfAccount(signer);
    return other === undefined || other === project
      ? []
      : [
          {
            code: 'signer_project' as const,
            path: ['databases', name, 'signer'],
            message: `is a service account of ${other}, and the database is in ${project}. Use a service account of ${project}.`,
          },
        ];
  });
}

/** UUIDs belong to one organization for good, so the id matters where a rule narrows by slug. */
export function organizationWarnings({ organization: { slug, id }, rules }: WrittenPolicy): PolicyWarning[] {
  const bySlug = rules.find(({ match }) => !match.pipeline && !match.pipeline_id && !match.cluster_id);
  return [
    ...(/[A-Z/\s]/.test(slug)
      ? [
          {
            code: 'impossible_value' as const,
            path: ['organization', 'slug'],
            message: `"${slug}" has capitals, spaces or slashes, and a slug has none. Copy the last part of the organization's address at buildkite.com.`,
          },
        ]
      : []),
    ...(id === undefined && bySlug
      ? [
          {
            code: 'no_organization_id' as const,
            path: ['organization'],
            message: `has no id, and rule "${bySlug.name}" narrows by slug. The slug of an organization can change hands. Add id.`,
          },
        ]
      : []),
  ];
}
