// Google's client libraries for Java: google-auth-library-oauth2-http, google-cloud-storage and google-cloud-firestore.

import { expect, it } from 'vitest';
import { makeTrustStore } from '../../../sandbox/authority.ts';
import { needsAll } from '../../fixtures/needs.ts';
import { buildJavaClient, javaCommand } from './java.ts';
import { describeLibrary } from './library-cases.ts';

describeLibrary(
  "Google's libraries for Java",
  {
    needs: needsAll('java', 'javac', 'keytool', 'mvn', 'openssl'),
    requests: ['request'],
    takesHttp: false,
    prepare: async (authority, exit) => javaCommand(await buildJavaClient(), await makeTrustStore(authority), exit),
  },
  ({ keydesk, newClient }) => {
    it('writes objects without gzip, and in pieces', async () => {
      const { client } = await newClient('staging-cache');
      const bucket = `${keydesk().project}-cache`;
      for (const operation of ['saveWithoutGzip', 'saveResumably']) {
        expect(await client.call(operation, bucket, `warm/${operation}`, 'text')).toEqual({ value: null });
        expect(await client.call('read', bucket, `warm/${operation}`)).toEqual({ value: 'text' });
        const denied = { error: expect.objectContaining({ code: 403 }) };
        expect(await client.call(operation, bucket, `cold/${operation}`, 'text')).toEqual(denied);
      }
    });
  },
);
