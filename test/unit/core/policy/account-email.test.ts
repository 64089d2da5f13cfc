import { describe, expect, it } from 'vitest';
import { projectOfAccount } from '../../../../shared/core/policy/account-email.ts';

describe('the address of a service account', () => {
  it.each([
    ['ci-001@acme-staging.iam.gserviceaccount.com', 'acme-staging'],
    ['abcdef@abcdef.iam.gserviceaccount.com', 'abcdef'],
    [`${'a'.repeat(30)}@${'p'.repeat(30)}.iam.gserviceaccount.com`, 'p'.repeat(30)],
    ['deploy-9@acme-123456.iam.gserviceaccount.com', 'acme-123456'],
    ['ci-001@staging.acme.example.iam.gserviceaccount.com', 'acme.example:staging'],
    ['ci-001@staging.example.com.iam.gserviceaccount.com', 'example.com:staging'],
  ])('%s has the project %s', (email, project) => {
    expect(projectOfAccount(email)).toBe(project);
  });

  it.each([
    ['nothing', ''],
    ['a name alone', 'ci-001'],
    ['a person', 'somebody@acme.example'],
    ["Compute Engine's own account", '123456789012-compute@developer.gserviceaccount.com'],
    ["App Engine's own account", 'acme-staging@appspot.gserviceaccount.com'],
    ['no project', 'ci-001@iam.gserviceaccount.com'],
    ['an empty project', 'ci-001@.iam.gserviceaccount.com'],
    ['another domain', 'ci-001@acme-staging.iam.example.com'],
    ['a domain that goes on', 'ci-001@acme-staging.iam.gserviceaccount.com.example'],
    ['a domain that only ends so', 'ci-001@acme-stagingiam.gserviceaccount.com'],
    ['capitals', 'CI-001@acme-staging.iam.gserviceaccount.com'],
    ['a name of five characters', 'ci-01@acme-staging.iam.gserviceaccount.com'],
    ['a name of 31 characters', `${'a'.repeat(31)}@acme-staging.iam.gserviceaccount.com`],
    ['a name that begins with a digit', '1ci-001@acme-staging.iam.gserviceaccount.com'],
    ['a name that ends in a hyphen', 'ci-001-@acme-staging.iam.gserviceaccount.com'],
    ['a project of five characters', 'ci-001@acme1.iam.gserviceaccount.com'],
    ['a project that is a number', 'ci-001@123456789012.iam.gserviceaccount.com'],
    ['the project of a resource name that means any', 'ci-001@-.iam.gserviceaccount.com'],
    ['an empty label', 'ci-001@staging..example.iam.gserviceaccount.com'],
    ['two addresses', 'ci-001@x@acme-staging.iam.gserviceaccount.com'],
    ['a path', '../ci-001@acme-staging.iam.gserviceaccount.com'],
    ['a path in the project', 'ci-001@acme/staging.iam.gserviceaccount.com'],
    ['a query', 'ci-001@acme-staging.iam.gserviceaccount.com?x=y'],
    ['a space before', ' ci-001@acme-staging.iam.gserviceaccount.com'],
    ['a newline after', 'ci-001@acme-staging.iam.gserviceaccount.com\n'],
    ['a dot for any character', 'ci-001@acme-staging.iamxgserviceaccount.com'],
  ])('has no project when it is %s', (_, email) => {
    expect(projectOfAccount(email)).toBeUndefined();
  });
});
