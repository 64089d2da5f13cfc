// The clients that the variables of the sandbox's shell point at the sandbox. One run, because a start takes long.

import { beforeAll, describe, expect, it } from 'vitest';
import { needs } from '../../fixtures/needs.ts';
import { partsOf, runInShell, type ShellRun } from './sandbox-shell.ts';

const [gcloud, gsutil, terraform] = [
  needs('gcloud'),
  needs('gsutil', { install: 'the Google Cloud CLI' }),
  needs('terraform'),
];
const CLIENTS = `
export GOOGLE_APPLICATION_CREDENTIALS=$CREDENTIALS/staging-cache.json
work=$(mktemp -d); cd "$work"; echo warm > object
echo "== gcloud"
gcloud auth login --cred-file=$CREDENTIALS/staging-cache.json
gcloud storage cp object gs://acme-ci-cache/warm/gcloud
gcloud storage cat gs://acme-ci-cache/warm/gcloud
echo "== gsutil"
sed -i.before "s#staging-config.json#staging-cache.json#" "$BOTO_CONFIG"
gsutil -q cp object gs://acme-ci-cache/warm/gsutil
gsutil cat gs://acme-ci-cache/warm/gsutil
echo "== tokens of another job"
holders() { ls -A "$CLOUDSDK_CONFIG" "$(sed -n 's/^state_dir = //p' "$BOTO_CONFIG")" | grep -cE 'access_tokens|credstore'; }
holders; start-job > "$work/started"; holders
gcloud auth login --cred-file=$CREDENTIALS/staging-cache.json
gsutil cat gs://acme-ci-cache/warm/gsutil
echo "== terraform"
echo 'terraform {
  backend "gcs" {
    bucket = "acme-ci-cache"
    prefix = "warm/state"
  }
}
output "greeting" { value = "hello" }' > main.tf
terraform init -input=false -no-color && terraform apply -auto-approve -no-color
curl -sS "$STORAGE/storage/v1/b/acme-ci-cache/o/warm%2Fstate%2Fdefault.tfstate?alt=media" -H "Authorization: Bearer $(gcloud auth print-access-token)"
echo "== over"
rm -r "$work"
`;

describe.skipIf(gcloud.missing)(gcloud.title('the clients in the shell of the sandbox'), () => {
  let ran: ShellRun;
  let parts: ReadonlyMap<string, string>;
  beforeAll(async () => {
    ran = await runInShell(CLIENTS);
    parts = partsOf(ran.stdout);
  });

  it('gcloud uses Cloud Storage with a credential file', () => {
    expect(parts.get('gcloud'), ran.stderr).toBe('warm\n');
  });

  it.skipIf(gsutil.missing)(gsutil.title('gsutil uses Cloud Storage with a credential file'), () => {
    expect(parts.get('gsutil'), ran.stderr).toBe('warm\n');
  });

  it.skipIf(gsutil.missing)(gsutil.title('start-job removes the tokens of gcloud and gsutil'), () => {
    expect(parts.get('tokens of another job'), ran.stderr).toMatch(/^[1-9]\n0\nwarm\n$/);
  });

  it.skipIf(terraform.missing)(
    terraform.title("Terraform's gcs backend keeps its state with a credential file"),
    () => {
      expect(parts.get('terraform'), ran.stderr).toContain('"greeting"');
    },
  );
});
