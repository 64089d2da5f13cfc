// `keydesk ids`: the UUIDs of a Buildkite organization, its pipelines and its teams, as lines of a policy.

import { Command, InvalidArgumentError } from '@commander-js/extra-typings';
import { matchesPattern } from '../../shared/core/policy/pattern.ts';
import { identifiersYaml, namePipelines, namesYaml } from '../../shared/core/policy/pipeline-names.ts';
import { systemClock } from '../../shared/runtime/clock.ts';
import { createHttpClient } from '../../shared/runtime/http-client.ts';
import { API_TOKEN_VARIABLE, readApiToken } from '../api-token.ts';
import { readBuildkiteOrganization, readBuildkiteTeams } from '../buildkite-organization.ts';
import { collect, examples } from '../options.ts';
import { EXIT, fail, note, printJson } from '../terminal.ts';

export const idsCommand = new Command('ids')
  .summary('print the UUIDs of pipelines and teams, for the policy')
  .description(
    `Print organization, pipelines and teams for the policy, with the UUIDs from Buildkite's API. Slugs can be given to another pipeline or organization. UUIDs cannot.

The command reads an API token from ${API_TOKEN_VARIABLE} or --token-file, and never prints it. The token needs the scopes read_organizations and read_pipelines, and read_teams for teams. The lists have what the owner of the token may see. Archived pipelines are left out.`,
  )
  .argument('<organization>', "the organization's slug, such as acme-inc", parseSlug)
  .option('--filter <pattern>', 'only pipelines whose slug matches, such as "web*"; repeat it for more', collect)
  .option('--token-file <file>', 'a file with the API token, or - for standard input')
  .option('--json', 'organization, pipelines and teams as JSON, with archived pipelines')
  .addHelpText(
    'after',
    `${examples('ids acme-inc', 'ids acme-inc --filter "web*" --token-file buildkite-token.txt', 'ids acme-inc --json')}

Exit code 1: the API refused a request, or no pipeline matches.`,
  )
  .action(async (slug, { filter = [], tokenFile, json }) => {
    const api = {
      sendRequest: createHttpClient(systemClock),
      clock: systemClock,
      apiUrl: process.env.KEYDESK_BUILDKITE_API_URL || 'https://api.buildkite.com',
      apiToken: readApiToken(tokenFile),
      note,
    };
    const found = await readBuildkiteOrganization(api, slug);
    const listedTeams = await readBuildkiteTeams(api, slug);
    const teams = listedTeams && namePipelines(listedTeams, 'team');
    const { organization } = found;
    const matching = namePipelines(found.pipelines).filter(
      (pipeline) => filter.length === 0 || filter.some((pattern) => matchesPattern(pattern, pipeline.slug)),
    );
    const active = matching.filter(({ archived }) => !archived);
    if (filter.length > 0 && (json ? matching : active).length === 0)
      fail(EXIT.failure, `No pipeline of ${slug} matches --filter. ${found.pipelines.length} were found.`);
    if (json) return printJson({ organization, pipelines: matching, teams: teams ?? null });
    process.stdout.write(identifiersYaml(organization, active));
    if (teams) process.stdout.write(namesYaml('teams', teams));
    else note('Teams are left out: the API token may see none. It needs the scope read_teams.');
    const left = matching.length - active.length;
    if (left > 0) note(`Archived pipelines that are left out: ${left}`);
    if (organization.slug !== slug) note(`The slug of ${slug} is now ${organization.slug}.`);
  });

function parseSlug(written: string): string {
  if (/^[^\s/:]{1,256}$/.test(written)) return written;
  throw new InvalidArgumentError('it takes the slug of an organization, such as acme-inc.');
}
