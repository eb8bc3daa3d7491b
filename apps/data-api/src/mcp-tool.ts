import type { CallToolResult, Tool } from '@modelcontextprotocol/server'
import { invalidInput, type Problem, toProblem } from '@twilight/service/errors'
import { z } from 'zod'
import { problemEntry } from './problem-entry.ts'

/** A tool as clients see it, and how it is called; `call` never throws. */
export type McpTool = {
  definition: Tool
  call: (userId: string, args: unknown) => Promise<ToolOutcome>
}

/** `status` is what the same question would get over HTTP. */
export type ToolOutcome = {
  result: CallToolResult
  status: number
  cached: boolean
  costPoints: number
  /** what went wrong, for the log */
  error?: Problem
}

/**
 * A tool from its schemas and the function that answers it. The result is JSON, as text and as structured
 * content; a failure is `{"error":{"code","message",…}}` with isError, never a sentence that could pass for data.
 *
 *     defineTool({ name: 'get_price', title: '价格', description, input, output, answer: async (userId, { code }) => … })
 */
export function defineTool<Input extends z.ZodObject, Output extends z.ZodObject>({
  name,
  title,
  description,
  input,
  output,
  openWorld = false,
  answer,
}: ToolSpec<Input, Output>): McpTool {
  return {
    definition: {
      name,
      title,
      description,
      inputSchema: jsonSchemaOf(input, 'input'),
      outputSchema: jsonSchemaOf(output, 'output'),
      annotations: { readOnlyHint: true, openWorldHint: openWorld },
    },
    async call(userId, args) {
      try {
        const parsed = input.safeParse(args ?? {})
        if (!parsed.success) throw invalidInput(parsed.error, 'body')
        const { body, cached, costPoints } = await answer(userId, parsed.data)
        return {
          result: { content: [textOf(body)], structuredContent: { ...body } },
          status: 200,
          cached,
          costPoints,
        }
      } catch (error) {
        const problem = toProblem(error)
        return {
          result: { content: [textOf({ error: describeProblem(problem) })], isError: true },
          status: problem.status,
          cached: false,
          costPoints: 0,
          error: problem,
        }
      }
    },
  }
}

export type ToolSpec<Input extends z.ZodObject, Output extends z.ZodObject> = {
  name: string
  title: string
  description: string
  /** strict: what it does not know is refused */
  input: Input
  output: Output
  /** it reads the open web; default false */
  openWorld?: boolean
  answer: (userId: string, args: z.output<Input>) => Promise<ToolAnswer<z.input<Output>>>
}

/** What a tool gives, and what giving it took. */
export type ToolAnswer<Body> = { body: Body; cached: boolean; costPoints: number }

function jsonSchemaOf(schema: z.ZodObject, io: 'input' | 'output'): Tool['inputSchema'] {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the schema of an object is one of type object
  return z.toJSONSchema(schema, { io }) as Tool['inputSchema']
}

function textOf(body: unknown): { type: 'text'; text: string } {
  return { type: 'text', text: JSON.stringify(body) }
}

/** What a model can act on: the code, a sentence, which argument, when to come back, what else it could mean. */
function describeProblem(problem: Problem): Record<string, unknown> {
  const {
    title,
    title_zh,
    detail = title,
    detail_zh = title_zh,
    retry_after_seconds,
    ...rest
  } = problemEntry(problem)
  const { errors } = problem.options
  return {
    ...rest,
    // There is no status 501 here that would say it.
    code: problem.code === 'not_implemented' ? 'not_built_yet' : problem.code,
    message: detail,
    message_zh: detail_zh,
    ...(errors && { errors }),
    ...(retry_after_seconds !== undefined && { retry_after: Math.ceil(retry_after_seconds) }),
  }
}
