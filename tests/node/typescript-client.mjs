// The TypeScript SDK (npm @modelcontextprotocol/sdk) as a client that runs until its input ends.
//
//   node typescript-client.mjs MCP_URL CALLBACK_PORT
//
// Each line of the input is a tool's name; each line of the output is JSON: {"open": url} for an address that the person has to
// open, then {"text"} or {"error"} for the call. It keeps its registration and tokens between the calls.
import http from 'node:http';
import { createInterface } from 'node:readline';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js';

const [url, port] = [new URL(process.argv[2]), Number(process.argv[3])];
const held = {};
let arrived;
const say = (line) => console.log(JSON.stringify(line));

const server = http.createServer((request, response) => {
  const query = new URL(request.url, `http://127.0.0.1:${port}`).searchParams;
  response.end('You can close this window.');
  arrived?.(query);
});
await new Promise((done) => server.listen(port, '127.0.0.1', done));

const provider = {
  get redirectUrl() { return `http://127.0.0.1:${port}/callback`; },
  get clientMetadata() {
    return {
      client_name: 'TypeScript SDK',
      redirect_uris: [this.redirectUrl],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    };
  },
  clientInformation: () => held.client,
  saveClientInformation: (client) => { held.client = client; },
  tokens: () => held.tokens,
  saveTokens: (tokens) => { held.tokens = tokens; },
  saveCodeVerifier: (verifier) => { held.verifier = verifier; },
  codeVerifier: () => held.verifier,
  invalidateCredentials: (scope) => {
    if (scope === 'all' || scope === 'client') delete held.client;
    if (scope === 'all' || scope === 'tokens') delete held.tokens;
  },
  async redirectToAuthorization(address) {
    held.answer = new Promise((done) => { arrived = done; });
    say({ open: String(address) });
  },
};

async function connected() {
  const transport = new StreamableHTTPClientTransport(url, { authProvider: provider });
  const client = new Client({ name: 'typescript', version: '1' });
  try {
    await client.connect(transport);
    return client;
  } catch (error) {
    if (!(error instanceof UnauthorizedError)) throw error;
  }
  const query = await held.answer;
  if (!query.get('code')) throw new Error(query.get('error'));
  await transport.finishAuth(query.get('code'));
  const again = new Client({ name: 'typescript', version: '1' });
  await again.connect(new StreamableHTTPClientTransport(url, { authProvider: provider }));
  return again;
}

for await (const tool of createInterface({ input: process.stdin })) {
  try {
    const client = await connected();
    const result = await client.callTool({ name: tool, arguments: {} });
    await client.close();
    say({ text: result.content[0].text });
  } catch (error) {
    say({ error: String(error.message ?? error) });
  }
}
server.close();
