// An OIDC provider that others wrote (npm oidc-provider), shaped like Cloudflare Access for SaaS: its issuer has a path that
// ends in the client id. Listens on 127.0.0.1:$PORT; the address of the client's callback is $CALLBACK.
//
//   PUT /_control/account  {"email", "disabled", "claims"}   POST /_control/rotate-keys
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Provider } from 'oidc-provider';

const port = Number(process.env.PORT);
const clientId = process.env.CLIENT_ID;
const issuer = `http://127.0.0.1:${port}/cdn-cgi/access/sso/oidc/${clientId}`;
const base = new URL(issuer).pathname;
const scopes = 'openid email offline_access';
const cookieKeys = [randomBytes(16).toString('hex')];
const accounts = new Map();
const stored = new Map();
let keys = [newKey(1)];
let provider;

function newKey(number) {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: `key-${number}`, use: 'sig', alg: 'RS256' };
}

// Keeps what was issued when the keys are rotated, which takes a new Provider.
class Adapter {
  constructor(model) { this.model = model; }
  key(id) { return `${this.model}:${id}`; }
  async upsert(id, payload) { stored.set(this.key(id), payload); }
  async find(id) { return stored.get(this.key(id)); }
  async findByUid(uid) {
    return [...stored].find(([key, value]) => key.startsWith(`${this.model}:`) && value.uid === uid)?.[1];
  }
  async findByUserCode() { return undefined; }
  async consume(id) { stored.get(this.key(id)).consumed = Math.floor(Date.now() / 1000); }
  async destroy(id) { stored.delete(this.key(id)); }
  async revokeByGrantId(grantId) {
    for (const [key, value] of stored) if (value.grantId === grantId) stored.delete(key);
  }
}

function account(id) {
  const held = accounts.get(id) ?? {};
  if (held.disabled) return undefined;
  return {
    accountId: id,
    async claims() { return { sub: id, email: id, email_verified: true, ...held.claims }; },
  };
}

function build() {
  return new Provider(issuer, {
    adapter: Adapter,
    clients: [{
      client_id: clientId,
      client_secret: process.env.CLIENT_SECRET,
      redirect_uris: [process.env.CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: process.env.AUTH_METHOD ?? 'client_secret_post',
      application_type: 'web',
    }],
    jwks: { keys },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    pkce: { required: () => true },
    cookies: { keys: cookieKeys },
    routes: { authorization: '/authorization', token: '/token', jwks: '/jwks', userinfo: '/userinfo' },
    interactions: { url: (_, interaction) => `/_login/${interaction.uid}` },
    issueRefreshToken: async (_, client, code) => code.scopes.has('offline_access'),
    rotateRefreshToken: true,
    async findAccount(_, id) { return account(id); },
    async loadExistingGrant(context) {
      const { client, session, provider: own } = context.oidc;
      const grant = new own.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope(scopes);
      await grant.save();
      return grant;
    },
  });
}

// As Entra ID and others: the administrator who registered the client has consented to offline access for everybody. This provider would
// otherwise ask each person (OpenID Connect Core 11).
function consented(url) {
  const asked = new URL(url, issuer);
  if (asked.searchParams.get('scope')?.split(' ').includes('offline_access')) asked.searchParams.set('prompt', 'consent');
  return asked.pathname + asked.search;
}

async function bodyOf(request) {
  let text = '';
  for await (const part of request) text += part;
  return text;
}

async function login(request, response) {
  const details = await provider.interactionDetails(request, response);
  if (details.prompt.name === 'consent') {
    return provider.interactionFinished(request, response, { consent: {} }, { mergeWithLastSubmission: true });
  }
  if (request.method !== 'POST') {
    response.setHeader('content-type', 'text/html');
    return response.end('<form method="post"><label>E-mail <input name="email"></label><button>Sign in</button></form>');
  }
  const email = new URLSearchParams(await bodyOf(request)).get('email');
  const result = email === 'deny' || accounts.get(email)?.disabled
    ? { error: 'access_denied' }
    : { login: { accountId: email } };
  return provider.interactionFinished(request, response, result, { mergeWithLastSubmission: false });
}

async function control(request, response, path) {
  if (path === '/_control/rotate-keys') {
    keys = [newKey(keys.length + 1), ...keys];
    provider = build();
  } else {
    const { email, ...held } = JSON.parse(await bodyOf(request));
    accounts.set(email, held);
  }
  response.end('done');
}

provider = build();
http.createServer(async (request, response) => {
  const path = new URL(request.url, issuer).pathname;
  try {
    if (path.startsWith('/_control/')) return await control(request, response, path);
    if (path.startsWith('/_login/')) return await login(request, response);
    if (path.startsWith(base)) {
      request.originalUrl = consented(request.url);
      request.url = request.originalUrl.slice(base.length) || '/';
      return provider.callback()(request, response);
    }
    response.writeHead(404).end();
  } catch (error) {
    console.error(error);
    response.writeHead(500).end();
  }
}).listen(port, '127.0.0.1', () => console.log(`ready: ${issuer}`));
