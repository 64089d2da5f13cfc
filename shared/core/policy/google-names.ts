// The forms of Google's names in a policy: projects, service accounts, tenants.

import * as z from 'zod';
import { SERVICE_ACCOUNT } from './account-email.ts';

export const projectIdSchema = z
  .string()
  .regex(/^[a-z][a-z0-9:.-]{3,61}[a-z0-9]$/, 'must be a Google Cloud project ID');

export const NOT_AN_ACCOUNT = "must be a service account's e-mail address, NAME@PROJECT.iam.gserviceaccount.com";

export const serviceAccountSchema = z.string().regex(SERVICE_ACCOUNT, NOT_AN_ACCOUNT);

/** Google derives it from the tenant's display name: tenant2-m6tyz. Source: firebase.google.com/docs/rules/rules-and-auth (firebase.tenant). */
export const tenantSchema = z
  .string()
  .regex(/^[a-z][a-z0-9-]{3,62}$/, 'must be the ID of an Identity Platform tenant, such as ci-x7k2p');

/** The usual form of Google's API keys. A policy may have another text until there is a key. */
export const API_KEY = /^AIza[A-Za-z0-9_-]{35}$/;
