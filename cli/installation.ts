// What the command deploys, and where its own files are: next to it when it is installed, in dist/keydesk when it runs from
// the repository.

import { existsSync } from 'node:fs';
import { join } from 'node:path';

const HERE = import.meta.dirname;
const PACKAGED = existsSync(join(HERE, 'package.json'));

export const FUNCTIONS = ['token', 'webhook', 'sweep', 'reader', 'admin'];

/** Holds a folder per function: everything of its archive but the policy. */
export const FUNCTIONS_FOLDER = PACKAGED ? join(HERE, 'functions') : join(HERE, '..', 'dist', 'keydesk', 'functions');

/** The Terraform module; its folder `example` is a root that uses it. */
export const TERRAFORM_MODULE = PACKAGED ? join(HERE, 'deploy', 'terraform') : join(HERE, '..', 'deploy', 'terraform');
