// Every warning that `keydesk policy check` gives, with its documentation: the table in docs/POLICY.md is made of it.

interface WarningText {
  readonly when: string;
  readonly whatToDo: string;
}

export const WARNINGS = {
  ref_prefix: {
    when: 'A branch or tag has a prefix that the claim does not have: `refs/heads/`, `refs/tags/`, `heads/`, `tags/`, `origin/`.',
    whatToDo: 'Write the name alone: `main`, not `refs/heads/main`.',
  },
  pattern_syntax: {
    when: 'A pattern uses the syntax of regular expressions or shells, or several values are in one text.',
    whatToDo: 'Use `*`, `**` and lists. Every other character stands for itself.',
  },
  impossible_value: {
    when: 'The claim is very unlikely to have such a value. Git or Buildkite does not allow it, or it begins or ends with a space.',
    whatToDo: 'Copy the value from a job, or from Buildkite.',
  },
  unknown_value: {
    when: '`build_source` or `runner_environment` has a value that Buildkite does not document.',
    whatToDo: 'Use a value from the table of claims.',
  },
  contradicting_claims: {
    when: 'Two claims of a rule exclude each other, so that it matches no job.',
    whatToDo: 'Remove or correct one of them.',
  },
  tag_pattern_for_branch: {
    when: '`build_branch` looks like the pattern of a version tag, and the rule does not name `build_tag`. The rule then matches no build of a tag.',
    whatToDo: 'Name `build_tag`, if builds of tags are meant.',
  },
  branch_pattern_for_tag: {
    when: '`build_tag` looks like a branch, or a rule that names `build_tag` names `build_branch` with a branch. A build of a tag usually has the name of the tag in both claims.',
    whatToDo: 'Name the branch in `build_branch` alone, or the tag in both.',
  },
  author_chosen_guards: {
    when: 'Within its pipeline, a rule relies on nothing but claims that the author of a build chooses. It grants from an environment that has guards or is called production. Or the pipeline also gets credentials of another environment.',
    whatToDo:
      'Name `build_source` without `api`, or the `queue_id` of a queue that accepts only signed steps. Or use a pipeline of its own that few people can build.',
  },
  pull_request_branch: {
    when: 'A rule without `build_tag` and `queue_id` admits builds from webhooks or of trigger steps. It grants from an environment that has `require` or is called production. It has no `build_branch`, or one that the branch of a pull request can be.',
    whatToDo:
      'Name branches that are protected, or leave `webhook` and `trigger_job` out of `build_source`. Accept the warning if the pipeline builds no pull requests.',
  },
  hosted_runners: {
    when: 'Jobs on hosted agents can get a credential of an environment that has `require` or is called production. Buildkite gives everybody who may build the pipeline a terminal in such a job, unless remote access is disabled.',
    whatToDo:
      'Add `runner_environment: self-hosted` to the rules. Or disable remote access in the settings of the organization, and accept the warning at the top of the file.',
  },
  own_approval: {
    when: 'An `approval` without `not: creator` guards an environment that has `require` or is called production. One person can start the build and approve it.',
    whatToDo: 'Add `not: creator`.',
  },
  unverified_creator: {
    when: 'An `approval` has `not: creator`, and the rule admits builds that were not started in the web interface or by API. The creator of a build from a webhook is the author of its commit, whom nobody verified. Scheduled builds may have none, and are then refused.',
    whatToDo:
      'Name `ui`, `api` or both in `build_source` and nothing else. Accept the warning if it is enough that a member of the team approves.',
  },
  break_glass_creator: {
    when: 'An `approval` has `use: break-glass`, and the rule has no `created_by`. Everybody who may build the pipeline can begin an emergency.',
    whatToDo: 'Add `created_by` with the team that may begin one.',
  },
  short_approval: {
    when: '`within` of an `approval` is shorter than the `ttl` of a credential that the rule grants. A token that is issued near the end of `within` lives on after it, and is not renewed.',
    whatToDo: 'Make `within` as long as the job takes, or shorten `ttl`.',
  },
  caller_set_claims: {
    when: 'All claims in `agent` of a rule have `setBy: caller`: who requests the token sets them. They prove nothing about the machine.',
    whatToDo: 'Add a claim that the platform sets, such as its project, its role or its account.',
  },
  public_issuer: {
    when: "The provider of `agent` has Google's issuer, which signs tokens for everybody. The rule names no claim that tells your machines from others.",
    whatToDo:
      'Name `sub` or `email` of a service account, or `project_id`, `project_number` or `instance_id` of Compute Engine.',
  },
  dotted_member: {
    when: '`at` of a claim has a member with dots, such as `google.compute_engine.project_id`. It is one name then, and no token has it.',
    whatToDo:
      'Write each member as an item of the list: `[google, compute_engine, project_id]`. Accept the warning if the name has dots.',
  },
  other_environment: {
    when: 'Credentials of another environment open the same database or bucket. Or a database has the name of another environment. Or a credential has an account of a project in which another environment has accounts or a database. Pools may share a project that has nothing else. Guards of the other environment do not hold.',
    whatToDo:
      'Correct `environment`, or what the credential opens. Accept the warning in the credential if the environments are meant to share it.',
  },
  unguarded_production: {
    when: 'An environment is called production and has no `require`.',
    whatToDo: 'Add `require: [pipeline, build_source, step_key]`, or the claims that your rules must narrow.',
  },
  slug_only: {
    when: 'A rule narrows its pipeline by slug alone. A pipeline can be renamed, and another pipeline can take its slug.',
    whatToDo: 'Name the pipeline in `pipelines`, and match `pipeline`.',
  },
  no_organization_id: {
    when: 'A rule narrows its pipeline by slug alone, and `organization` has no `id`. The slug of an organization can change hands.',
    whatToDo: 'Add `id` to `organization`. Jobs must then request `--claim organization_id`.',
  },
  rule_never_matches: {
    when: 'No job token can have a value that fits a claim of the rule. The rule matches no job.',
    whatToDo: 'Correct the pattern, or remove the rule.',
  },
  rule_shadowed: {
    when: 'Other rules grant all credentials of a rule to all jobs that it matches. The rule then changes nothing.',
    whatToDo: 'Remove it. Or correct its `match`, if it was meant for other jobs.',
  },
  duplicate_rule: {
    when: 'Two rules match the same jobs.',
    whatToDo: 'Add the grants to the first rule, and remove the second one.',
  },
  duplicate_entry: {
    when: 'A list has the same entry twice.',
    whatToDo: 'Remove one of them, or correct it.',
  },
  unused_credential: {
    when: 'No rule grants a credential, or only rules that match no job.',
    whatToDo: 'Grant it in a rule, or remove it.',
  },
  unused_environment: {
    when: 'No credential is of an environment.',
    whatToDo: 'Remove the environment, or correct `environment` of a credential.',
  },
  unused_pipeline: {
    when: 'No rule matches a pipeline that `pipelines` names.',
    whatToDo: 'Remove the name, or correct `pipeline` of a rule.',
  },
  unused_team: {
    when: 'No rule names a team of `teams`.',
    whatToDo: 'Remove the name, or name it in a rule.',
  },
  unused_provider: {
    when: 'No rule names an identity provider in `agent`.',
    whatToDo: 'Remove the provider, or name it in a rule.',
  },
  unused_database: {
    when: 'No credential opens a database.',
    whatToDo: 'Remove the database, or correct `database` of a credential.',
  },
  signer_project: {
    when: "The signer of a database is a service account of another project. Firebase accepts custom tokens only of the project's own accounts.",
    whatToDo: "Use a service account of the database's project.",
  },
  short_ttl: {
    when: "`ttl` is under 6 minutes. Google's clients renew a token up to 5 minutes before its end, so each call can request a new one.",
    whatToDo: 'Use 10 to 15 minutes for most steps.',
  },
  unroutable_name: {
    when: 'The name of a credential ends in `z`. Cloud Run reserves some paths that end in `z`, so `POST /token/NAME` may not reach Keydesk.',
    whatToDo:
      'Choose a name that does not end in `z`. Or accept the warning, if all clients use `POST /token` with a form.',
  },
  placeholder: {
    when: 'A value is a placeholder or an example. It is a variable of a template, `<…>`, `example.com`, a UUID of one digit, or from this documentation.',
    whatToDo: 'Replace it with your own value.',
  },
  comment_in_value: {
    when: 'A value without quotes is followed by ` #` and a word, which YAML reads as a comment: `contact: ask #help`.',
    whatToDo: 'Put the whole value in quotes, or write a space after the `#`.',
  },
  stray_character: {
    when: '`audience` ends in `;`, `,` or a quote. Or a word in a pattern mixes Latin letters with Cyrillic or Greek ones.',
    whatToDo: 'Remove the character, or type the word again.',
  },
  unknown_scope: {
    when: 'A scope is nearly the name of a common scope of Google.',
    whatToDo: 'Correct the name.',
  },
  api_key_form: {
    when: "`apiKey` does not have the usual form of Google's API keys: `AIza`, and 35 letters, digits, `_` and `-`.",
    whatToDo:
      'Copy the value of `terraform output api_keys`. Before the first apply, write `to-be-created`. With `create_api_keys = false`, copy a key of the project.',
  },
  default_database: {
    when: '`database` is `default`. The default database of a project is called `(default)`.',
    whatToDo: 'Write `(default)`, or remove the key.',
  },
  large_rules: {
    when: 'The generated security rules of a database are near a limit of Firestore, so that their deployment may fail.',
    whatToDo: 'Let pipelines share credentials, or open fewer paths.',
  },
} as const satisfies Readonly<Record<string, WarningText>>;

export type WarningCode = keyof typeof WARNINGS;

export const WARNING_CODES = Object.keys(WARNINGS) as WarningCode[];

/** What is probably a mistake: where it is in the file, and in words what is so and what to do. */
export interface PolicyWarning {
  readonly code: WarningCode;
  readonly path: readonly (string | number)[];
  readonly message: string;
}
