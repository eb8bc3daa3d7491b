import { McpServer, ProtocolError, ProtocolErrorCode } from '@modelcontextprotocol/server'
import { serviceName } from '@twilight/cite-envelope/claim'
import type { McpTool, ToolOutcome } from './mcp-tool.ts'

/**
 * The MCP server of one request: it lists the tools, in the order given, and calls one as its user.
 *
 *     const server = createToolServer({ version, tools, userId, onCall: (name, outcome) => … })
 */
export function createToolServer({ version, tools, userId, onCall }: ToolServerOptions): McpServer {
  const mcp = new McpServer(
    { name: serviceName, title: 'Twilight Drive', version },
    { capabilities: { tools: {} }, instructions, cacheHints: { 'tools/list': listHint } },
  )
  // Below registerTool: that one answers wrong arguments in prose, and converts every schema on every request.
  mcp.server.setRequestHandler('tools/list', () => ({
    tools: tools.map(({ definition }) => definition),
  }))
  mcp.server.setRequestHandler('tools/call', async ({ params }) => {
    const tool = tools.find(({ definition }) => definition.name === params.name)
    if (!tool) {
      throw new ProtocolError(
        ProtocolErrorCode.InvalidParams,
        `There is no tool ${params.name.slice(0, 100)}; tools/list names them.`,
      )
    }
    const outcome = await tool.call(userId, params.arguments)
    onCall(tool.definition.name, outcome)
    return outcome.result
  })
  return mcp
}

export type ToolServerOptions = {
  version: string
  tools: readonly McpTool[]
  userId: string
  /** told of each call of a tool there is */
  onCall: (name: string, outcome: ToolOutcome) => void
}

// The same for every caller, and it changes only with a new version of ours.
const listHint = { ttlMs: 3_600_000, cacheScope: 'public' } as const

const instructions = [
  'Cited A-share prices and fundamentals. Every figure is a claim with a unit, a date (as_of) and a cite.',
  'State only figures that stand in claims, and after each the tool_call_id of its cite, as in [tc_...].',
  'Find a code with resolve_code instead of guessing it; compute with calc instead of in your head.',
  'A result with isError holds {"error":{"code","message"}} and no data: say so, never fill in a figure.',
].join('\n')
