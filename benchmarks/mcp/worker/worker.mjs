// The Worker to compare with: sign-in by workers-oauth-provider, tools by the TypeScript SDK.
//
// It is what the documentation of both packages shows, with a person who is signed in at once.
import { OAuthProvider } from "@cloudflare/workers-oauth-provider";
import { createMcpHandler, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import * as z from "zod";
import { DEFINITIONS, RESOURCE } from "bench:config";

const HEADLINE = z.object({ sum: z.number() });
const ADD = {
  title: "Add",
  description: "Adds two whole numbers.",
  inputSchema: z.object({ a: z.number().int(), b: z.number().int() }),
  outputSchema: HEADLINE,
};

function server() {
  const made = new McpServer({ name: "worker", version: "1.0.0" });
  made.registerTool("add", ADD, ({ a, b }) => {
    const answer = { sum: a + b };
    return { content: [{ type: "text", text: JSON.stringify(answer) }], structuredContent: answer };
  });
  for (const { name, title, description, inputSchema } of DEFINITIONS) {
    made.registerTool(name, { title, description, inputSchema: fromJsonSchema(inputSchema) }, () => ({ content: [] }));
  }
  return made;
}

const mcp = createMcpHandler(server);

export default new OAuthProvider({
  apiRoute: "/mcp",
  apiHandler: { fetch: (request) => mcp.fetch(request) },
  defaultHandler: {
    async fetch(request, env) {
      if (new URL(request.url).pathname !== "/authorize") return new Response(null, { status: 404 });
      const asked = await env.OAUTH_PROVIDER.parseAuthRequest(request);
      const { redirectTo } = await env.OAUTH_PROVIDER.completeAuthorization({
        request: asked,
        userId: "ana",
        metadata: {},
        scope: asked.scope,
        props: { email: "ana.kovac@northlight.example" },
      });
      return Response.redirect(redirectTo, 302);
    },
  },
  authorizeEndpoint: "/authorize",
  tokenEndpoint: "/token",
  clientRegistrationEndpoint: "/register",
  scopesSupported: ["mcp:read"],
  resourceMetadata: { resource: RESOURCE, authorization_servers: [new URL(RESOURCE).origin] },
});
