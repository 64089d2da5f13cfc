// Which part of a service account's e-mail address is wrong, in words for the command line. The functions say only what form an
// address has.
// Source: docs.cloud.google.com/iam/docs/service-accounts-create (account IDs), service-account-types (accounts of Google).

import { closestName } from '../closest-name.ts';

const SUFFIX = 'iam.gserviceaccount.com';
const FORM = `NAME@PROJECT.${SUFFIX}`;
const CREATED_BY_GOOGLE = /@(?:appspot|cloudbuild|cloudservices|developer)\.gserviceaccount\.com$/;

/**
 * @param written what is not the address of a service account, or not of one for a pool
 * @returns what the address is or has, and what to do
 */
export function accountMistake(written: string, use: 'shared' | 'pooled'): string {
  if (written === '') return `is empty. Write ${FORM}`;
  if (written.trim() !== written) return 'begins or ends with a space. Remove the space';
  const [, address] = /^(?:serviceAccount:|mailto:|.*\/serviceAccounts\/)(.*)$/i.exec(written) ?? [];
  if (address !== undefined)
    return `begins with ${written.slice(0, written.length - address.length)}. Write ${address || FORM}`;
  const [name = '', domain, ...more] = written.split('@');
  if (domain === undefined) return `has no @. It must be an e-mail address, ${FORM}`;
  if (more.length > 0) return `has more than one @. It must be one address, ${FORM}`;
  if (/[A-Z]/.test(written)) return `has a capital letter. Write ${written.toLowerCase()}`;
  if (CREATED_BY_GOOGLE.test(written) && use === 'pooled')
    return 'is an account that Google created. A pool takes only accounts that you created';
  return domainMistake(name, domain) ?? nameMistake(name) ?? projectMistake(domain, use);
}

function domainMistake(name: string, domain: string): string | undefined {
  if (domain.endsWith(`.${SUFFIX}`)) return undefined;
  if (domain === SUFFIX) return `has no project. Write ${name}@PROJECT.${SUFFIX}`;
  const labels = domain.split('.');
  const project = [3, 2, 1]
    .filter((count) => labels.length > count)
    .find((count) => closestName(labels.slice(-count).join('.'), [SUFFIX]) !== undefined);
  if (project !== undefined)
    return `must end in ${SUFFIX}. Did you mean "${name}@${labels.slice(0, -project).join('.')}.${SUFFIX}"?`;
  return labels.length === 1
    ? `has no domain. Write ${name}@${domain || 'PROJECT'}.${SUFFIX}`
    : `is not the address of a service account, which ends in ${SUFFIX}`;
}

function nameMistake(name: string): string | undefined {
  const [character] = /[^a-z0-9-]/.exec(name) ?? [];
  if (character !== undefined)
    return `has ${JSON.stringify(character)} in the name. Google allows lower-case letters, digits and -`;
  if (name.length < 6 || name.length > 30)
    return `has a name of ${name.length} characters: "${name}". Google allows 6 to 30`;
  if (!/^[a-z]/.test(name)) return `has the name "${name}". A name begins with a letter`;
  return name.endsWith('-') ? `has the name "${name}". A name ends with a letter or a digit` : undefined;
}

function projectMistake(domain: string, use: 'shared' | 'pooled'): string {
  const project = domain.slice(0, -SUFFIX.length - 1);
  if (project.startsWith('gcp-sa-') && use === 'pooled')
    return "is one of Google's service agents. A pool takes only accounts that you created";
  if (/^[0-9]+$/.test(project)) return `has the project number ${project}. Write the project ID`;
  return `has "${project}" where the project ID goes. A project ID has 6 to 30 lower-case letters, digits and -`;
}
