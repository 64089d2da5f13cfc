// The findings about a function's service.

const DEPLOY = 'Run terraform apply, with this policy and these variables.';
const FORMER =
  'Deploy the former revision: gcloud run services update-traffic {service} --to-revisions=REVISION=100 {where}';
const UPDATE = 'gcloud run services update {service} {where}';

export const FUNCTION_TEXTS = {
  service_missing: {
    severity: 'error',
    what: 'The service {service} does not exist in {project}, {region}.',
    why: 'What the function does, nobody does.',
    fix: DEPLOY,
    undo: 'gcloud run services delete {service} {where}',
  },
  identity_differs: {
    severity: 'error',
    what: '{service} runs as {found}. Its own identity is {account}.',
    why: 'The identity that mints must not be the one that enables accounts, nor the one that receives webhooks.',
    fix: `${UPDATE} --service-account={account}`,
    undo: `${UPDATE} --service-account={found}`,
  },
  setting_missing: {
    severity: 'error',
    what: '{service} lacks the setting {variable}. It must be {expected}.',
    why: 'Without it the function does not start, or uses another ledger than the others.',
    fix: `${UPDATE} --update-env-vars={variable}={expected}`,
    undo: `${UPDATE} --remove-env-vars={variable}`,
  },
  setting_differs: {
    severity: 'error',
    what: '{service} has another value of {variable} than {expected}.',
    why: 'The functions then work on different ledgers, or with checks for development.',
    fix: `${UPDATE} --update-env-vars={variable}={expected}`,
    undo: FORMER,
  },
  setting_not_expected: {
    severity: 'warning',
    what: '{service} has the setting {variable}, which the module does not set.',
    why: 'Settings such as NODE_OPTIONS change what the function does.',
    fix: `${UPDATE} --remove-env-vars={variable}`,
    undo: FORMER,
  },
  override_set: {
    severity: 'error',
    what: '{service} has the setting {variable}. It is for tests.',
    why: "By it the function trusts other keys of job tokens or of people's ID tokens, or sends its credentials to another host than Google or Buildkite.",
    fix: `${UPDATE} --remove-env-vars={variable}`,
    undo: FORMER,
  },
  emulator_set: {
    severity: 'error',
    what: '{service} has the setting {variable}. It is for emulators.',
    why: "The function's client then talks to that host without authentication, and the ledger is not Keydesk's.",
    fix: `${UPDATE} --remove-env-vars={variable}`,
    undo: FORMER,
  },
  secret_as_value: {
    severity: 'error',
    what: '{service} has the value of {variable} in its settings, and not in Secret Manager.',
    why: 'Everybody who may look at the service reads it. Treat it as leaked.',
    fix: `Rotate it. Then: ${UPDATE} --remove-env-vars={variable} && ${UPDATE} --update-secrets={variable}={secret}:VERSION`,
    undo: 'Nothing to go back to.',
  },
  secret_differs: {
    severity: 'error',
    what: '{service} reads {variable} from the secret {found}. It must be {secret}.',
    why: 'Another secret has other readers and writers.',
    fix: `${UPDATE} --update-secrets={variable}={secret}:VERSION`,
    undo: FORMER,
  },
  secret_missing: {
    severity: 'error',
    what: '{service} lacks {variable}, from the secret {secret}.',
    why: 'Without its token the webhook does not start. The sweep cannot find lost webhooks without one, nor read teams: rules that name a team then grant nothing.',
    fix: `${UPDATE} --update-secrets={variable}={secret}:VERSION`,
    undo: `${UPDATE} --remove-secrets={variable}`,
  },
  secret_version_floating: {
    severity: 'warning',
    what: '{service} reads the version "{version}" of {secret}, which is no number.',
    why: 'Instances that start at different times then have different tokens, and a new version takes effect without a deployment.',
    fix: `${UPDATE} --update-secrets={variable}={secret}:VERSION`,
    undo: `${UPDATE} --update-secrets={variable}={secret}:{version}`,
  },
  invoker_check_off: {
    severity: 'error',
    what: 'The invoker check of {service} is off. It is a private function.',
    why: 'Anybody on the network can call it.',
    fix: `${UPDATE} --invoker-iam-check`,
    undo: `${UPDATE} --no-invoker-iam-check`,
  },
  invoker_check_on: {
    severity: 'error',
    what: 'The invoker check of {service} is on. Jobs and Buildkite have no Google identity.',
    why: 'Cloud Run answers them with 403: no credential is issued, and no end of a job arrives.',
    fix: `${UPDATE} --no-invoker-iam-check`,
    undo: `${UPDATE} --invoker-iam-check`,
  },
  ingress_differs: {
    severity: 'error',
    what: 'The ingress of {service} is "{found}". It must be "{expected}".',
    why: 'Requests then come from where they should not, or do not come from where they should.',
    fix: `${UPDATE} --ingress={expected}`,
    undo: `${UPDATE} --ingress={found}`,
  },
  traffic_not_on_latest: {
    severity: 'error',
    what: '{service} sends requests to {revisions}, and not only to its latest revision.',
    why: 'Another revision has another policy or another release. A tag gives it a URL of its own, at which it issues credentials.',
    fix: 'gcloud run services update-traffic {service} --to-latest --clear-tags {where}',
    undo: 'gcloud run services update-traffic {service} --to-revisions=REVISION=100 {where}',
  },
  container_not_expected: {
    severity: 'error',
    what: '{service} has {count} containers: {images}. It must have one.',
    why: 'Each container of a service has its identity, and can do what the function can do.',
    fix: DEPLOY,
    undo: FORMER,
  },
  command_overridden: {
    severity: 'error',
    what: '{service} does not start what its image starts. Its command is: {command}',
    why: 'The command decides which code runs, whatever the image is.',
    fix: DEPLOY,
    undo: FORMER,
  },
  image_differs: {
    severity: 'error',
    what: '{service} runs {found}. It must run {expected}.',
    why: 'What runs is another release, another policy, or something that nobody packaged.',
    fix: DEPLOY,
    undo: FORMER,
  },
} as const;
