// A proxy in front of the Auth emulator. The emulator has one project for every API key; Google uses the key's project. So the
// proxy sets the project of the service account that signed the custom token, which at Google is the same project. The
// emulator's ID tokens have no signature. Every other request passes unchanged.

import { decodeJwt, UnsecuredJWT } from 'jose';
import * as z from 'zod';
import { projectOfAccount } from '../shared/core/policy/account-email.ts';
import { jsonServer, type LocalRequest, type LocalResponse, type LocalServer } from './local-server.ts';

const SIGN_IN = /\/v1\/accounts:signInWithCustomToken$/;

/** @param host host:port of the emulator */
export function startAuthFront(host: string): Promise<LocalServer> {
  return jsonServer('proxy of the Auth emulator', async (request) => {
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
