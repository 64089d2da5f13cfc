// Sentences that several commands of a restore have in their help.

export const LOOKS_ONLY =
  'The command changes nothing at Google. Run it again until everything is done. Exit code 1: something is to be done.';

export const EXAMPLE =
  '--project acme-keydesk --region europe-west1 --snapshot 2026-11-24T01:30:00Z --restored keydesk-20261124';
