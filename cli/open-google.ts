// Google's APIs with the rights of the person who runs the command.

import { systemClock } from '../shared/runtime/clock.ts';
import { errorMessage } from '../shared/runtime/errors.ts';
import { createHttpClient } from '../shared/runtime/http-client.ts';
import { createGoogle, type Google } from './checks/google.ts';
import { createOperatorClient, LOG_IN } from './operator-client.ts';
import { EXIT, fail } from './terminal.ts';

/** Ends the process when there are no credentials. @param project pays for the requests */
export async function openGoogle(project: string): Promise<Google> {
  const operator = createOperatorClient(systemClock);
  await operator.authenticate().catch((error) => fail(EXIT.failure, `${errorMessage(error)}. ${LOG_IN}`));
  // For tests: a server that has each of Google's APIs under a folder of its host.
  return createGoogle(operator.send, {
    quotaProject: project,
    base: process.env.KEYDESK_GOOGLE_APIS_URL,
    sendUnauthenticated: createHttpClient(systemClock),
  });
}
