// Job tokens that must not be accepted.

import type { FakeBuildkite } from '../../sandbox/fakes/buildkite/buildkite.ts';
import type { Job } from '../../sandbox/fakes/buildkite/job.ts';
import type { SeededRandom } from '../../sandbox/seeded-random.ts';
import { systemClock } from '../../shared/runtime/clock.ts';

export async function wrongJobToken(buildkite: FakeBuildkite, job: Job, random: SeededRandom): Promise<string> {
  const now = Math.floor(systemClock.now() / 1000);
  switch (random.between(0, 7)) {
    case 0:
      return 'not-a-job-token';
    case 1:
      return buildkite.jobToken(job, { issuedAt: now - 3_600, lifetime: 300 });
    case 2:
      return buildkite.jobToken(job, { audience: 'https://elsewhere.example' });
    case 3:
      return buildkite.jobToken(job, { overrides: { iss: 'https://issuer.example' } });
    case 4:
      return buildkite.jobToken(job, { overrides: { organization_slug: 'another', organization_id: job.id } });
    case 5:
      return buildkite.jobToken(job, { header: { kid: `unknown-${random.between(0, 1e9)}` } });
    case 6:
      return unsigned(await buildkite.jobToken(job));
    default:
      return tampered(await buildkite.jobToken(job));
  }
}

/** The claims of another job under the signature of this one. */
function tampered(jobToken: string): string {
  const [header, payload = '', signature] = jobToken.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
  const changed = Buffer.from(JSON.stringify({ ...claims, build_branch: 'another' })).toString('base64url');
  return [header, changed, signature].join('.');
}

function unsigned(jobToken: string): string {
  const header = Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url');
  return `${header}.${jobToken.split('.')[1]}.`;
}
