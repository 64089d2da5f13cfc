// Names for the UUIDs of a Buildkite organization's pipelines and teams, and the lines of the policy that hold them.

import { yamlQuoted, yamlScalar } from './yaml-scalar.ts';

const LONGEST = 100;

/** A pipeline or a team. */
export interface IdentifiedPipeline {
  readonly slug: string;
  readonly id: string;
}

/**
 * A name for each pipeline that `pipelines` in a policy accepts: its slug, where that is one. No two are the same. `teams` accepts the same
 * names. @param nameless for a slug without a letter or digit
 * @returns in the order of `pipelines`
 */
export function namePipelines<P extends IdentifiedPipeline>(
  pipelines: readonly P[],
  nameless = 'pipeline',
): readonly (P & { readonly name: string })[] {
  const slugs = pipelines.map(({ slug }) => toName(slug, nameless));
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
  return [
    `organization: { slug: ${yamlScalar(organization.slug)}, id: ${organization.id} }\n`,
    namesYaml('pipelines', pipelines),
  ].join('');
}

/** Names with their UUIDs, as YAML: `pipelines` or `teams` of a policy. */
export function namesYaml(
  key: 'pipelines' | 'teams',
  named: readonly (IdentifiedPipeline & { readonly name: string })[],
): string {
  const lines = named.map(
    ({ name, slug, id }) => `  ${yamlScalar(name)}: ${id}${name === slug ? '' : ` # slug: ${yamlQuoted(slug)}`}`,
  );
  return (lines.length > 0 ? [`${key}:`, ...lines] : [`${key}: {}`]).map((line) => `${line}\n`).join('');
}

function toName(slug: string, nameless: string): string {
  const name = slug
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  // A slug with a double hyphen is a name already.
  if (/^[a-z0-9][a-z0-9-]*$/.test(slug)) return slug.slice(0, LONGEST);
  return name.slice(0, LONGEST) || nameless;
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
