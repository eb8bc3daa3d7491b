import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { Agent } from 'undici'

export type UpstreamHttp = {
  /** the answer with its body read whole and decompressed; rejects with HttpFault */
  post(path: string, json: string, signal: AbortSignal): Promise<HttpAnswer>
  [Symbol.asyncDispose](): Promise<void>
}

export type HttpAnswer = { status: number; body: Uint8Array; retryAfterSeconds?: number }

export type UpstreamHttpOptions = {
  /** https, or http on loopback only */
  baseUrl: string
  connections: number
  connectTimeoutMs: number
  headersTimeoutMs: number
  /** between two chunks; a trickle is ended by the signal the caller passes */
  bodyTimeoutMs: number
  /** of the body, on the wire and again after decompression */
  maxBodyBytes: number
}

/** Why no usable answer came. The message holds no URL and nothing of what was sent. */
export class HttpFault extends Error {
  readonly kind: 'timeout' | 'unreachable' | 'bad_answer'
  constructor(kind: HttpFault['kind'], message: string, cause: unknown) {
    super(message, { cause })
    this.kind = kind
  }
}

/** One undici Agent for one upstream: every wait and size bounded, redirects never followed. */
export function createUpstreamHttp(options: UpstreamHttpOptions): UpstreamHttp {
  const base = checkBaseUrl(options.baseUrl)
  const agent = new Agent({
    connections: options.connections,
    pipelining: 1,
    allowH2: false,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: options.headersTimeoutMs,
    bodyTimeout: options.bodyTimeoutMs,
    maxResponseSize: options.maxBodyBytes,
    keepAliveTimeout: 30_000,
  })

  return {
    async post(path, json, signal) {
      try {
        const response = await agent.request({
          origin: base.origin,
          path: joinPath(base.pathname, path),
          method: 'POST',
          headers: {
            'content-type': 'application/json',
            accept: 'application/json',
            'accept-encoding': 'gzip',
          },
          body: json,
          signal,
        })
        const wire = await response.body.bytes()
        const body = await decompress(
          wire,
          response.headers['content-encoding'],
          options.maxBodyBytes,
        )
        const retryAfterSeconds = Number(response.headers['retry-after'])
        return {
          status: response.statusCode,
          body,
          ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
        }
      } catch (error) {
        throw toHttpFault(error, options.maxBodyBytes)
      }
    },
    // destroy, not close: whoever stops has ended its calls already, and a hung one must not hold the exit.
    [Symbol.asyncDispose]: () => agent.destroy(),
  }
}

const inflate = promisify(gunzip)

async function decompress(
  wire: Uint8Array,
  encoding: unknown,
  maxBodyBytes: number,
): Promise<Uint8Array> {
  if (encoding === undefined || encoding === 'identity') return wire
  if (encoding !== 'gzip')
    throw new HttpFault('bad_answer', 'answered in an encoding that was not asked for', undefined)
  return inflate(wire, { maxOutputLength: maxBodyBytes })
}

function checkBaseUrl(text: string): URL {
  const url = URL.parse(text)
  if (!url) throw new Error('The base URL of an upstream is not a URL: write https://host/path.')
  const isLoopback = ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback)) {
    throw new Error(
      `The upstream ${url.host} must be https: the token travels in the body. Plain http is for loopback only.`,
    )
  }
  if (url.username || url.password || url.search) {
    throw new Error(
      `The base URL of the upstream ${url.host} must not hold a user, a password or a query.`,
    )
  }
  return url
}

function joinPath(base: string, path: string): string {
  return base === '/' ? '/' : `${base.replace(/\/$/, '')}/${path}`
}

function toHttpFault(error: unknown, maxBodyBytes: number): HttpFault {
  if (error instanceof HttpFault) return error
  const code =
    error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''
  if (
    error instanceof Error &&
    (error.name === 'TimeoutError' || code.endsWith('_TIMEOUT') || code === 'ETIMEDOUT')
  ) {
    return new HttpFault('timeout', 'no whole answer in time', error)
  }
  if (code === 'UND_ERR_RES_EXCEEDED_MAX_SIZE' || code === 'ERR_BUFFER_TOO_LARGE') {
    return new HttpFault('bad_answer', `the answer is larger than ${maxBodyBytes} bytes`, error)
  }
  if (code.startsWith('Z_'))
    return new HttpFault('bad_answer', 'the compressed body is damaged', error)
  if (code.startsWith('HPE_') || (error instanceof Error && error.name === 'HTTPParserError')) {
    return new HttpFault('bad_answer', 'not an HTTP answer', error)
  }
  return new HttpFault(
    'unreachable',
    code === '' ? 'the connection failed' : `the connection failed (${code})`,
    error,
  )
}
