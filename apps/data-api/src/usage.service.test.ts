import { expect, test } from 'vitest'
import { z } from 'zod'
import { bearer, startTestApi } from './test-data-api.ts'

const usage = z.object({ usage: z.array(z.looseObject({ endpoint: z.string() })) })

test('what the app answered is in /v1/usage, by path and by tool, though it was stopped right after', async () => {
  // Its own clock must be right here: records from long ago are not accepted.
  await using api = await startTestApi({ now: new Date().toISOString() })
  const price = '/price?code=600519.SH&trade_date=20251230'
  const call = {
    method: 'tools/call',
    params: { name: 'get_price', arguments: { code: '600519.SH', trade_date: '20251230' } },
  }
  for (let index = 0; index < 3; index += 1) {
    expect((await api.get(price)).status).toBe(200)
    const answer = await fetch(`${api.url}/mcp`, {
      method: 'POST',
      headers: { ...bearer(api.reader.key), 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', id: index, ...call }),
    })
    expect(await answer.json()).toMatchObject({ id: index, result: { structuredContent: {} } })
  }
  expect((await api.get('/price?code=999999.SH')).status).toBe(404)
  expect((await api.get('/search')).status).toBe(501)
  // Nobody's: not metered.
  expect((await api.get(price, {})).status).toBe(401)
  await api.restart(new Date().toISOString())

  const usageNow = async () => {
    const days = usage.parse((await api.get('/v1/usage')).body).usage
    // This question is usage too.
    return days.filter(({ endpoint }) => endpoint !== '/v1/usage')
  }
  await expect.poll(usageNow, { timeout: 45_000, interval: 200 }).toMatchObject([
    { endpoint: '/mcp get_price', requests: 3, failed: 0, cached: 3, cost_points: 0 },
    // One call of the source for all of them.
    { endpoint: '/price', requests: 4, failed: 1, cached: 2, cost_points: 1 },
    { endpoint: '/search', requests: 1, failed: 1 },
  ])
}, 90_000)
