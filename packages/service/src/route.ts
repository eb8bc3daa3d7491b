import type { HttpBindings } from '@hono/node-server'
import type { Context } from 'hono'
import { z } from 'zod'
import type { ZodType } from 'zod'
import type { ProblemCode } from './problem-codes.ts'
import { parseInput, readBytes, readJson, readQuery, refuseBadTarget } from './request-input.ts'
import type { TraceContext } from './trace.ts'

/** What the frame knows about a request while it runs. */
export type RequestState = {
  requestId: string
  trace: TraceContext
  route: string | undefined
  error: unknown
  fields: Record<string, unknown>
  /** to be set on the answer; undefined once they are */
  headers: Record<string, string> | undefined
}

export type HttpEnv = {
  Bindings: Partial<HttpBindings> & { draining?: boolean }
  Variables: { request: RequestState }
}

/** Who may pass: `admit` returns the caller or throws a Problem; `scheme` tells OpenAPI how to ask. */
export type Guard<Caller> = {
  name: string
  scheme: { type: string; [member: string]: unknown }
  problems: ProblemCode[]
  admit: (c: Context<HttpEnv>) => Caller | Promise<Caller>
}

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
type Schema = ZodType | undefined
type Parsed<S extends Schema> = S extends ZodType ? z.output<S> : undefined
type ParsedBody<S extends Schema | 'bytes'> = S extends 'bytes'
  ? Uint8Array
  : S extends ZodType
    ? z.output<S>
    : undefined
type Answered<S extends Schema> = S extends ZodType ? z.input<S> | Response : Response

export type RouteInput<Caller, Params, Query, Body> = {
  caller: Caller
  params: Params
  query: Query
  body: Body
}

export type RouteSpec<
  Caller,
  P extends Schema,
  Q extends Schema,
  B extends Schema | 'bytes',
  A extends Schema,
> = {
  summary: string
  guard?: Guard<Caller>
  params?: P
  query?: Q
  /** a schema for JSON, or 'bytes' for the body as it came, as signatures need it */
  body?: B
  /** default 8 KiB */
  bodyLimitBytes?: number
  /** the answer with status 200; the handler's type must agree with it */
  answers?: A
  /** the codes a client should expect beside those of the frame and the guard */
  problems?: ProblemCode[]
  /** log its successes at debug level: probes would drown the rest */
  quiet?: boolean
}

export type Route = {
  method: Method
  path: string
  spec: RouteSpec<unknown, Schema, Schema, Schema | 'bytes', Schema>
  answer: (c: Context<HttpEnv>) => Promise<Response>
}

const defaultBodyLimitBytes = 8 * 1024

/**
 * One line of the menu: method, path, what it takes, who may, and the handler, which gets parsed input.
 *
 *     route('GET', '/price', { summary: 'Last close', guard: pro, query: priceQuery, answers: claim }, price)
 */
export function route<
  Caller = undefined,
  P extends Schema = undefined,
  Q extends Schema = undefined,
  B extends Schema | 'bytes' = undefined,
  A extends Schema = undefined,
>(
  method: Method,
  path: string,
  spec: RouteSpec<Caller, P, Q, B, A>,
  handle: (
    input: RouteInput<Caller, Parsed<P>, Parsed<Q>, ParsedBody<B>>,
    c: Context<HttpEnv>,
  ) => Answered<A> | Promise<Answered<A>>,
): Route {
  if (path.includes(':') && !spec.params) {
    throw new Error(
      `${method} ${path}: give a params schema; path parameters arrive decoded and unchecked.`,
    )
  }
  const query = strict(spec.query)
  const { body, guard, params, bodyLimitBytes = defaultBodyLimitBytes } = spec

  async function answer(c: Context<HttpEnv>): Promise<Response> {
    c.get('request').route = path
    refuseBadTarget(c.req.url)
    const input = {
      caller: guard && (await guard.admit(c)),
      params: params && parseInput(params, c.req.param(), 'path'),
      query: query && parseInput(query, readQuery(c.req.url), 'query'),
      body: body && (await readBody(c.req.raw, body, bodyLimitBytes)),
    }
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each part was parsed by its own schema
    const parsed = input as Parameters<typeof handle>[0]
    try {
      const result: unknown = await handle(parsed, c)
      return result instanceof Response ? result : jsonResponse(c, result)
    } catch (error) {
      // The framework hands only errors to its error handler; libraries throw other things too.
      if (error instanceof Error) throw error
      throw new Error('a thrown value that is no error', { cause: error })
    }
  }

  return { method, path, spec: { ...spec, query }, answer }
}

/** With all headers from the start: each one added later costs three times as much. */
function jsonResponse(c: Context<HttpEnv>, result: unknown): Response {
  const request = c.get('request')
  const headers = { 'content-type': 'application/json', ...request.headers }
  request.headers = undefined
  return new Response(JSON.stringify(result), { headers })
}

/** Adds fields to the one log line of this request. */
export function annotate(c: Context<HttpEnv>, fields: Record<string, unknown>): void {
  Object.assign(c.get('request').fields, fields)
}

async function readBody(
  request: Request,
  body: ZodType | 'bytes',
  limitBytes: number,
): Promise<unknown> {
  if (body === 'bytes') return readBytes(request, limitBytes)
  return parseInput(body, await readJson(request, limitBytes), 'body')
}

// A misspelt parameter must not be ignored: it would change what an answer means.
function strict(schema: Schema): Schema {
  return schema instanceof z.ZodObject && !schema.def.catchall ? schema.strict() : schema
}
