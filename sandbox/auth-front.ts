// Stands before the Auth emulator, which has one project whatever API key it is sent: Google takes the key's. So the ID token
// of a sign-in with a custom token gets the project of the service account that signed it, which at Google is the same one.
// The emulator's tokens have no signature to break. Every other request passes as it is.

import { decodeJwt, UnsecuredJWT } from 'jose';
import * as z from 'zod';
import { projectOfAccount } from '../shared/core/policy/account-email.ts';
import { jsonServer, type LocalRequest, type LocalResponse, type LocalServer } from './local-server.ts';

const SIGN_IN = /\/v1\/accounts:signInWithCustomToken$/;

/** @param host the emulator's host:port */
export function startAuthFront(host: string): Promise<LocalServer> {
  return jsonServer('front of the Auth emulator', async (request) => {
    const response = await pass(host, request);
    if (response.status !== 200 || !SIGN_IN.test(request.path)) return response;
    const { token } = z.object({ token: z.string() }).parse(JSON.parse(request.body));
    const signedIn = z.looseObject({ idToken: z.string() }).parse(JSON.parse(response.text));
    const project = projectOfAccount(decodeJwt(token).iss ?? '');
    if (project === undefined) return response;
    const idToken = new UnsecuredJWT({
      ...decodeJwt(signedIn.idToken),
      aud: project,
      iss: `https://securetoken.google.com/${project}`,
    }).encode();
    return { status: 200, json: { ...signedIn, idToken } };
  });
}

async function pass(host: string, request: LocalRequest): Promise<LocalResponse & { readonly text: string }> {
  const { method, path, query, headers, bytes } = request;
  const { 'content-type': type, authorization } = headers;
  const response = await fetch(`http://${host}${path}?${query}`, {
    method,
    headers: {
      ...(typeof type === 'string' ? { 'content-type': type } : {}),
      ...(typeof authorization === 'string' ? { authorization } : {}),
    },
    ...(method === 'GET' || method === 'HEAD' ? {} : { body: new Uint8Array(bytes) }),
  });
  const text = await response.text();
  return { status: response.status, text, headers: { 'content-type': response.headers.get('content-type') ?? '' } };
}
