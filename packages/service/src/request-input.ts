import type { ZodType } from 'zod'
import { Problem, invalidInput } from './errors.ts'

/** Zod's answer for one part of the request, or a 400 that names the fields. */
export function parseInput<T>(
  schema: ZodType<T>,
  value: unknown,
  place: 'query' | 'path' | 'header' | 'body',
): T {
  const result = schema.safeParse(value)
  if (!result.success) throw invalidInput(result.error, place)
  return result.data
}

/** The query as an object without a prototype; a key given twice is refused, not silently halved. */
export function readQuery(url: string): Record<string, string> {
  const values: Record<string, string> = Object.create(null)
  const start = url.indexOf('?')
  if (start === -1) return values
  const hash = url.indexOf('#', start)
  const text = url.slice(start + 1, hash === -1 ? undefined : hash)
  for (const [name, value] of new URLSearchParams(text)) {
    if (name in values) {
      throw new Problem('invalid_parameter', {
        detail: `Given more than once: ${name.slice(0, 100)}`,
        errors: [{ parameter: name.slice(0, 100), in: 'query', detail: 'give it once' }],
      })
    }
    values[name] = value
  }
  return values
}

/** Frameworks hand broken percent-encoding and control characters through: nothing good comes of them. */
export function refuseBadTarget(url: string): void {
  if (!url.includes('%')) return
  let decoded: string
  try {
    decoded = decodeURIComponent(url)
  } catch (cause) {
    throw new Problem('malformed_request', {
      detail: 'The URL holds percent-encoding that is not UTF-8.',
      cause,
    })
  }
  // oxlint-disable-next-line eslint/no-control-regex -- control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(decoded)) {
    throw new Problem('malformed_request', { detail: 'The URL holds control characters.' })
  }
}

/** The whole body as JSON text that parsed; 415, 413 and 400 otherwise. */
export async function readJson(request: Request, limitBytes: number): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i.test(type)) {
    throw new Problem('unsupported_media_type', { detail: 'Send the body as application/json.' })
  }
  const bytes = await readBytes(request, limitBytes)
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return value
  } catch (cause) {
    throw new Problem('malformed_json', {
      detail: bytes.byteLength === 0 ? 'The body is empty.' : 'The body is not valid JSON.',
      cause,
    })
  }
}

/** The whole body, never more than the limit: counted while it streams when no length was declared. */
export async function readBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  if (request.headers.has('content-encoding')) {
    throw new Problem('unsupported_media_type', {
      detail: 'Send the body without Content-Encoding.',
    })
  }
  const declared = request.headers.get('content-length')
  if (declared !== null && Number(declared) > limitBytes) throw tooLarge(limitBytes)
  try {
    // node:http ends a body at its declared length, so only undeclared ones need counting.
    const streamed = declared === null || request.headers.has('transfer-encoding')
    return streamed
      ? await countedBytes(request, limitBytes)
      : new Uint8Array(await request.arrayBuffer())
  } catch (error) {
    if (error instanceof Problem) throw error
    throw new Problem('malformed_request', {
      detail: 'The body ended before it was complete.',
      cause: error,
    })
  }
}

async function countedBytes(request: Request, limitBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > limitBytes) throw tooLarge(limitBytes)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

function tooLarge(limitBytes: number): Problem {
  return new Problem('payload_too_large', { detail: `The body may hold ${limitBytes} bytes.` })
}
