// Names for the UUIDs of a Buildkite organization's pipelines, and the lines of the policy that hold them.

import { stringify } from 'yaml';

const LONGEST = 100;

export interface IdentifiedPipeline {
  readonly slug: string;
  readonly id: string;
}

/**
 * A name for each pipeline that `pipelines` in a policy accepts: its slug, where that is one. No two are the same.
 * @returns in the order of `pipelines`
 */
export function namePipelines<P extends IdentifiedPipeline>(
  pipelines: readonly P[],
): readonly (P & { readonly name: string })[] {
  const slugs = pipelines.map(({ slug }) => toName(slug));
  // A pipeline whose slug is a name keeps it.
  const taken = new Set(pipelines.flatMap(({ slug }, index) => (slug === slugs[index] ? [slug] : [])));
  return pipelines.map((pipeline, index) => {
    const name = slugs[index] as string;
    return { ...pipeline, name: name === pipeline.slug ? name : unused(name, taken) };
  });
}

/** `organization` and `pipelines` of a policy, as YAML. A slug that is not the name is in a comment. */
export function identifiersYaml(
  organization: IdentifiedPipeline,
  pipelines: readonly (IdentifiedPipeline & { readonly name: string })[],
): string {
  const lines = pipelines.map(
    ({ name, slug, id }) => `  ${scalar(name)}: ${id}${name === slug ? '' : ` # slug: ${quoted(slug)}`}`,
  );
  return [
    `organization: { slug: ${scalar(organization.slug)}, id: ${organization.id} }`,
    ...(lines.length > 0 ? ['pipelines:', ...lines] : ['pipelines: {}']),
  ]
    .map((line) => `${line}\n`)
    .join('');
}

function toName(slug: string): string {
  const name = slug
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  // A slug with a double hyphen is a name already.
  if (/^[a-z0-9][a-z0-9-]*$/.test(slug)) return slug.slice(0, LONGEST);
  return name.slice(0, LONGEST) || 'pipeline';
}

function unused(name: string, taken: Set<string>): string {
  let candidate = name;
  for (let next = 2; taken.has(candidate); next += 1) {
    const suffix = `-${next}`;
    candidate = `${name.slice(0, LONGEST - suffix.length)}${suffix}`;
  }
  taken.add(candidate);
  return candidate;
}

/** In quotes unless it is a word that YAML 1.1 and 1.2 read as text. */
function scalar(text: string): string {
  const plain =
    /^[a-z0-9][a-z0-9-]*$/i.test(text) &&
    (['1.1', '1.2'] as const).every((version) => stringify(text, { version }) === `${text}\n`);
  return plain ? text : quoted(text);
}

/** Everything but ASCII is escaped: a character may be invisible. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[^\x20-\x7e]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
