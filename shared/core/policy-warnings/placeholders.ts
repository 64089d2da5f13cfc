// Values that somebody forgot to replace: variables of templates, reserved names of hosts, invented UUIDs, and what the examples of
// Keydesk hold. Source of the hosts: RFC 2606 section 3.

import type { WrittenPolicy } from '../policy/policy.ts';
import { isUuidClaim } from '../policy/rule.ts';
import type { PolicyWarning } from './codes.ts';

const ADVICE = 'Replace it with your own value.';
/** Those of shells and of common templates are errors: see text-mistakes.ts. */
const VARIABLE = /\$\(|<[^<>]*>|%[A-Z_]{3,}%|__[A-Z_]{3,}__/;
const WORDS =
  /(?:^|[^a-z])(?:your[-_ ](?:org|organization|project|company|pipeline|bucket|database|api|web|key|domain)|replace[-_ ]?(?:me|this)|change[-_ ]?me)(?:[^a-z]|$)/i;
const EXAMPLE_HOST = /(?:^|[^a-z0-9-])example\.(?:com|net|org)(?:[^a-z0-9-]|$)/i;
/** One digit everywhere, but for what makes it a UUID of version 4; or digits in their order. */
const INVENTED_UUID =
  /^(?:([0-9a-f])\1{7}-\1{4}-[0-9a-f]\1{3}-[0-9a-f]\1{3}-\1{12}|0{8}-0{4}-[04]0{3}-[08]0{3}-[0-9a-f]{12}|12345678-1234-.*|01234567-89ab-.*|deadbeef-.*)$/i;
const API_KEY = /^AIza(?:Sy)?(?:[xX_-]*|.*(?:[xX]{5}|your|dummy).*)$/i;

/** The organization of the examples; in a policy of any other, their values are left over. */
const EXAMPLE_ORGANIZATION = 'acme-inc';
const EXAMPLE_VALUE =
  /^(?:f892efa9-103e-4d28-97a1-3b8616a0994d|0184990a-4782-42b5-afc1-16715b10b1f0|0184990b-11f2-4a8e-b0d4-5f7a0c2d9e31|0184990c-6a3d-4b7e-9f25-3d8c1e5a7b60|AIzaSyExample\w*|acme-staging|acme-production|acme-ci-cache|\S*@acme-(?:staging|production|ci-pool)\.iam\.gserviceaccount\.com|https?:\/\/(?:[a-z0-9-]+\.)*acme\.example\/?)$/i;

/** Why `value` is a placeholder, in words; undefined if it is none. */
export function placeholderIn(value: string): string | undefined {
  const isPlaceholder =
    VARIABLE.test(value) ||
    WORDS.test(value) ||
    EXAMPLE_HOST.test(value) ||
    INVENTED_UUID.test(value) ||
    API_KEY.test(value);
  return isPlaceholder ? `"${value}" is a placeholder. ${ADVICE}` : undefined;
}

/** Patterns of other claims than ids are in pattern.ts. */
export function placeholderWarnings(policy: WrittenPolicy): PolicyWarning[] {
  const isExample = policy.organization.slug === EXAMPLE_ORGANIZATION;
  return valuesOf(policy).flatMap(({ path, value }) => {
    const message =
      !isExample && EXAMPLE_VALUE.test(value)
        ? `"${value}" is a value of Keydesk's documentation. ${ADVICE}`
        : placeholderIn(value);
    return message === undefined ? [] : [{ code: 'placeholder' as const, path, message }];
  });
}

interface Value {
  readonly path: PolicyWarning['path'];
  readonly value: string;
}

function valuesOf({ organization, audience, pipelines, databases, credentials, rules }: WrittenPolicy): Value[] {
  const named = (path: PolicyWarning['path'], fields: object): Value[] =>
    Object.entries(fields).flatMap(([key, value]) =>
      typeof value === 'string' ? [{ path: [...path, key], value }] : [],
    );
  return [
    ...named(['organization'], organization),
    ...named([], { audience }),
    ...named(['pipelines'], pipelines),
    ...Object.entries(databases).flatMap(([name, database]) => named(['databases', name], database)),
    ...Object.entries(credentials).flatMap(([name, credential]) => {
      if (credential.kind === 'firestore') return [];
      const path = ['credentials', name, credential.storage ? 'storage' : 'serviceAccount'];
      const bucket = credential.storage ? [{ path: [...path, 'bucket'], value: credential.storage.bucket }] : [];
      const accounts =
        credential.kind === 'service_account'
          ? [{ path: [...path, credential.storage ? 'serviceAccount' : 'email'], value: credential.email }]
          : [
              ...credential.pool.map((value, index) => ({ path: [...path, 'pool', index], value })),
              ...(credential.retiring ?? []).map((value, index) => ({ path: [...path, 'retiring', index], value })),
            ];
      return [...bucket, ...accounts];
    }),
    ...rules.flatMap(({ match }, index) =>
      Object.entries(match).flatMap(([claim, patterns]) =>
        isUuidClaim(claim) ? patterns.map((value, at) => ({ path: ['rules', index, 'match', claim, at], value })) : [],
      ),
    ),
  ];
}
