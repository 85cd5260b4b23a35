// The client of MCP's TypeScript SDK, on which many agents and IDEs are built.
const { Client } = require("@modelcontextprotocol/sdk/client/index.js");
const {
  StreamableHTTPClientTransport,
} = require("@modelcontextprotocol/sdk/client/streamableHttp.js");

async function main() {
  const { LFM2_COLBERT_URL, LFM2_COLBERT_API_KEY, QUERY } = process.env;
  const transport = new StreamableHTTPClientTransport(new URL(`${LFM2_COLBERT_URL}/mcp`), {
    requestInit: { headers: { Authorization: `Bearer ${LFM2_COLBERT_API_KEY}` } },
  });
  const client = new Client({ name: "test", version: "1" });
  await client.connect(transport);
  const { tools } = await client.listTools();
  const answer = await client.callTool({ name: "search", arguments: { query: QUERY, k: 3 } });
  const found = answer.structuredContent.passages.map((one) => [one.id, one.relevance]);
  console.log(JSON.stringify({ tools: tools.map((tool) => tool.name), found }));
  await client.close();
}

main().catch(({ message, code }) => console.log(JSON.stringify({ message, code })));
