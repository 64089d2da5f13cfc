// Names for pipelines: what `keydesk ids` prints is always part of a valid policy.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parsePolicy } from '../../../../shared/core/policy/parse-yaml.ts';
import { identifiersYaml, namePipelines } from '../../../../shared/core/policy/pipeline-names.ts';

const ORGANIZATION = { slug: 'acme-inc', id: 'f892efa9-103e-4d28-97a1-3b8616a0994d' };
const idOf = (nth: number) => `0184990a-4782-42b5-afc1-${String(nth).padStart(12, '0')}`;
const pipelines = (slugs: readonly string[]) => slugs.map((slug, nth) => ({ slug, id: idOf(nth) }));
const namesOf = (...slugs: string[]) => namePipelines(pipelines(slugs)).map(({ name }) => name);

describe('the name of a pipeline', () => {
  it.each([
    ['web', 'web'],
    ['web--release-', 'web--release-'],
    ['Web Release', 'web-release'],
    ['web_release.v2', 'web-release-v2'],
    ['-web-', 'web'],
    ['Größe', 'große'.replace('ß', '-')],
    ['🚀', 'pipeline'],
    ['w'.repeat(120), 'w'.repeat(100)],
  ])('of the slug %s is %s', (slug, name) => {
    expect(namesOf(slug)).toEqual([name]);
  });

  it('is given once: a slug that is a name keeps it', () => {
    expect(namesOf('Web', 'web', 'WEB', 'web-2')).toEqual(['web-3', 'web', 'web-4', 'web-2']);
    expect(namesOf('🚀', '🦊')).toEqual(['pipeline', 'pipeline-2']);
  });
});

describe('the lines of the policy', () => {
  it('name the pipelines, and the slugs that differ', () => {
    expect(identifiersYaml(ORGANIZATION, namePipelines(pipelines(['web', 'Web 2'])))).toBe(
      `organization: { slug: acme-inc, id: ${ORGANIZATION.id} }
pipelines:
  web: ${idOf(0)}
  web-2: ${idOf(1)} # slug: "Web 2"
`,
    );
  });

  it('are YAML when there is no pipeline', () => {
    expect(identifiersYaml(ORGANIZATION, [])).toMatch(/^pipelines: \{\}$/m);
  });

  it('are read as the same names and UUIDs, whatever the slugs are', () => {
    const words = fc.constantFrom(
      'null',
      'true',
      '123',
      '0x1f',
      '1e3',
      'no',
      'y',
      '~',
      'Web',
      'a#b',
      "it's",
      'a: b',
      'a, b',
    );
    const organizations = fc.oneof(words, fc.stringMatching(/^[a-z0-9][a-z0-9-]{0,30}$/));
    const slugs = fc.oneof(words, fc.string({ minLength: 1, maxLength: 120, unit: 'grapheme' }));
    fc.assert(
      fc.property(organizations, fc.uniqueArray(slugs, { maxLength: 8 }), (organization, of) => {
        const named = namePipelines(pipelines(of));
        const file = `version: 1
audience: https://keydesk.acme.example
environments: {}
credentials: {}
rules: []
${identifiersYaml({ ...ORGANIZATION, slug: organization }, named)}`;
        const parsed = parsePolicy(file, 'policy.yaml');
        if ('problems' in parsed) throw new Error(parsed.problems.join('\n'));
        expect(parsed.policy.organization.slug).toBe(organization);
        expect(parsed.policy.pipelines).toEqual(Object.fromEntries(named.map(({ name, id }) => [name, id])));
      }),
    );
  });
});
