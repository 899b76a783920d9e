// An oidc-provider on a port that the system picks, configured like a deployment. It prints its issuer once
// it listens.
// node provider.mjs '{"path": "/tenant/one", "clients": [{"client_id": …}], "authMethods": […], "tokenTtl": 3600}'
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const { path, clients, authMethods, tokenTtl } = JSON.parse(process.argv[2]);
// Ends with the process that started this one.
process.stdin.on('end', () => process.exit()).resume();

const METADATA = '/.well-known/oauth-authorization-server';

const server = createServer(serve);
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const origin = `http://127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const provider = new Provider(`${origin}${path}`, {
  clients: clients.map((client) => ({
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    ...client,
  })),
  clientAuthMethods: authMethods,
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  cookies: { keys: ['a key for the cookies of a test'] },
  features: {
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
  },
  findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  // By default a refresh token needs OpenID's `offline_access`. An app gets that with the scope and
  // `authorization_param("prompt", "consent")`. Here, clients without OpenID get a refresh token too.
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  jwks: { keys: [privateKey.export({ format: 'jwk' })] },
  pkce: { required: () => true },
  rotateRefreshToken: true,
  scopes: ['openid', 'offline_access', 'read'],
  ttl: {
    AccessToken: tokenTtl,
    AuthorizationCode: 60,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 86400,
  },
});

// The requests to the provider, for the tests to read.
const asked = [];
provider.use(async (ctx, next) => {
  await next();
  const params = ctx.oidc?.params ?? {};
  asked.push({
    endpoint: ctx.oidc?.route ?? ctx.path,
    status: ctx.status,
    grant_type: params.grant_type,
    proof: ctx.get('authorization').split(' ')[0] || (ctx.oidc?.body?.client_secret ? 'post' : 'none'),
    refresh_token: ctx.body?.refresh_token,
  });
});
const handle = provider.callback();

console.log(provider.issuer);

// The proxy in front of the provider, which makes an issuer with a path. RFC 8414 §3.1 expects its metadata
// at `/.well-known/…/path`, but the provider serves it without the path.
async function serve(request, response) {
  const { pathname, search } = new URL(request.url, 'http://proxy');
  if (pathname === '/__asked') return json(response, 200, asked);
  if (pathname === '/__whoami') return whoami(request, response);
  const metadata = pathname === `${METADATA}${path}`;
  if (!metadata && (pathname.includes('/.well-known/') || !pathname.startsWith(`${path}/`))) {
    return json(response, 404, { error: 'there is nothing here' });
  }
  request.url = (metadata ? METADATA : pathname.slice(path.length)) + search;
  // From the difference between the two URLs, the provider learns where it is mounted.
  request.originalUrl = path + request.url;
  return handle(request, response);
}

// An API of the provider. It returns the user of the access token in the request.
async function whoami(request, response) {
  const token = await provider.AccessToken.find((request.headers.authorization ?? '').replace(/^Bearer /, ''));
  return token ? json(response, 200, { user: token.accountId }) : json(response, 401, { error: 'invalid_token' });
}

function json(response, status, body) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
