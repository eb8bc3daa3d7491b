import { readConfig } from './config.ts'
import { startSandbox } from './sandbox.ts'
import { thirdParties } from './third-parties.ts'
import type { ThirdParty } from './third-party.ts'

/** The token with 5,000 points that every sandbox knows. */
export const testToken = '5a4db0c5000000000000000000000000000000000000000000005000'

export type TushareBody = {
  request_id: string
  code: number
  msg: string | null
  detail: string | null
  data: { fields: string[]; items: unknown[][]; has_more: boolean; count: number } | null
}

/** A sandbox for a test: in this process, over real HTTP, in the evening of 2026-11-20 unless told otherwise. */
export async function startTestSandbox(
  env: Record<string, string> = {},
  parties: readonly ThirdParty[] = thirdParties,
) {
  const config = readConfig({ SANDBOX_NOW: '2026-11-20T18:30:00+08:00', ...env })
  const sandbox = await startSandbox({ config, thirdParties: parties })
  const control = async (
    method: string,
    path: string,
    body?: unknown,
  ): Promise<{ status: number; body: Record<string, unknown> }> => {
    const response = await fetch(`${sandbox.url}/__sandbox/${path}`, {
      method,
      ...(body === undefined
        ? {}
        : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    return { status: response.status, body: JSON.parse(await response.text()) }
  }
  const post = (path: string, body: string): Promise<Response> =>
    fetch(`${sandbox.url}/tushare${path}`, { method: 'POST', body })
  const ask = async (
    api: string,
    params: unknown = {},
    more: { fields?: unknown; token?: string; path?: string } = {},
  ): Promise<TushareBody> => {
    const { path = '/', token = testToken, fields } = more
    const response = await post(path, JSON.stringify({ api_name: api, token, params, fields }))
    return JSON.parse(await response.text())
  }
  /** The rows as objects, by column name, as a careful client reads them. */
  const rows = async (
    api: string,
    params: unknown = {},
    fields?: string,
  ): Promise<Record<string, unknown>[]> => {
    const { data, msg } = await ask(api, params, fields === undefined ? {} : { fields })
    if (!data) throw new Error(`${api} refused: ${msg}`)
    return data.items.map((item) =>
      Object.fromEntries(data.fields.map((field, i) => [field, item[i]])),
    )
  }
  return { ...sandbox, control, post, ask, rows }
}

export type TestSandbox = Awaited<ReturnType<typeof startTestSandbox>>
