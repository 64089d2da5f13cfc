// What a job's own program does at the least: it asks for a token, and lets an error end it.

import { GoogleAuth } from 'google-auth-library';

const auth = new GoogleAuth({ scopes: ['https://www.googleapis.com/auth/datastore'] });
process.stdout.write(`${await auth.getAccessToken()}`);
