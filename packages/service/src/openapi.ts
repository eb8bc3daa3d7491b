import { z } from 'zod'
import type { ZodType } from 'zod'
import { problemCodes } from './problem-codes.ts'
import type { ProblemCode } from './problem-codes.ts'
import type { Route } from './route.ts'

type Json = Record<string, unknown>

/**
 * The OpenAPI 3.1 document of a route table, as JSON, from the schemas that check the requests.
 *
 *     openApiJson({ service: 'data-api', version: '1.2.0', routes })
 */
export function openApiJson(options: {
  service: string
  version: string
  routes: Route[]
}): string {
  const { service, version, routes } = options
  const paths: Record<string, Json> = {}
  const schemas: Json = { Problem: problemSchema }
  const securitySchemes: Json = {}
  for (const route of routes) {
    const path = route.path.replaceAll(/:(\w+)(?:\{[^}]*\})?\??/g, '{$1}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operation(route, schemas) }
    if (route.spec.guard) securitySchemes[route.spec.guard.name] = route.spec.guard.scheme
  }
  const document = {
    openapi: '3.1.2',
    info: { title: service, version },
    paths,
    components: { schemas, securitySchemes },
  }
  return JSON.stringify(document).replaceAll('"#/$defs/', '"#/components/schemas/')
}

function operation({ method, path, spec }: Route, schemas: Json): Json {
  const { answers, body, guard } = spec
  const parameters = [
    ...inputs(spec.params, 'path', schemas),
    ...inputs(spec.query, 'query', schemas),
  ]
  return {
    summary: spec.summary,
    operationId: `${method.toLowerCase()}${path.replaceAll(/\W+(\w?)/g, (_, next: string) => next.toUpperCase())}`,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: bodyContent(body, schemas) } }),
    ...(guard && { security: [{ [guard.name]: [] }] }),
    responses: {
      200: {
        description: 'OK',
        ...(answers && { content: asJson(jsonSchema(answers, 'output', schemas)) }),
      },
      ...problemResponses(expectedProblems(spec)),
    },
  }
}

function expectedProblems({
  params,
  query,
  body,
  guard,
  problems = [],
}: Route['spec']): ProblemCode[] {
  const codes: ProblemCode[] = [
    'malformed_request',
    'internal',
    ...problems,
    ...(guard?.problems ?? []),
  ]
  if (params || query || body) codes.push('invalid_parameter')
  if (body) codes.push('payload_too_large', 'unsupported_media_type', 'malformed_json')
  return codes
}

function problemResponses(codes: ProblemCode[]): Json {
  const byStatus = Map.groupBy(new Set(codes), (code) => problemCodes[code].status)
  return Object.fromEntries(
    [...byStatus].map(([status, group]) => [
      status,
      {
        description: group.map((code) => `\`${code}\`: ${problemCodes[code].en}`).join('; '),
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } },
        },
      },
    ]),
  )
}

function inputs(schema: ZodType | undefined, place: 'path' | 'query', schemas: Json): Json[] {
  if (!schema) return []
  const { properties = {}, required = [] } = jsonSchema(schema, 'input', schemas)
  return Object.entries(properties).map(([name, property]) => ({
    name,
    in: place,
    required: place === 'path' || required.includes(name),
    schema: property,
  }))
}

function bodyContent(body: ZodType | 'bytes', schemas: Json): Json {
  return body === 'bytes' ? { '*/*': {} } : asJson(jsonSchema(body, 'input', schemas))
}

function asJson(schema: object): Json {
  return { 'application/json': { schema } }
}

// Zod puts a schema with an id into $defs beside its use; in OpenAPI it belongs to the components.
function jsonSchema(schema: ZodType, io: 'input' | 'output', schemas: Json) {
  const { $schema: _, $defs = {}, ...rest } = z.toJSONSchema(schema, { io, unrepresentable: 'any' })
  Object.assign(schemas, $defs)
  return rest
}

const problemSchema = {
  type: 'object',
  required: ['type', 'title', 'status', 'code', 'request_id'],
  properties: {
    type: { type: 'string', format: 'uri-reference' },
    title: { type: 'string' },
    title_zh: { type: 'string' },
    status: { type: 'integer' },
    code: { type: 'string', enum: Object.keys(problemCodes) },
    detail: { type: 'string' },
    detail_zh: { type: 'string' },
    instance: { type: 'string' },
    request_id: { type: 'string' },
    trace_id: { type: 'string' },
    errors: {
      type: 'array',
      items: {
        type: 'object',
        required: ['detail'],
        properties: {
          detail: { type: 'string' },
          parameter: { type: 'string' },
          in: { enum: ['query', 'path', 'header'] },
          pointer: { type: 'string' },
        },
      },
    },
  },
}
