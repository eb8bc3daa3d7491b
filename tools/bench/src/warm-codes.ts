import { z } from 'zod'

const batch = 100
const priceList = z.object({ prices: z.array(z.looseObject({ value: z.number().nullish() })) })

/**
 * Asks for the price of many codes, a hundred at a time, so that memory is read with a full cache.
 * Which codes exist is not known here: whole ranges are asked for, and what has a price counts.
 */
export async function warmCodes(options: {
  url: string
  keys: string[]
  wanted: number
  say: (text: string) => void
}): Promise<number> {
  let warm = 0
  const codes = candidates()
  for (let start = 0; start < codes.length && warm < options.wanted; start += batch) {
    const asked = codes.slice(start, start + batch).join(',')
    const key = options.keys[(start / batch) % options.keys.length] ?? ''
    const answer = await fetch(`${options.url}/price?codes=${asked}`, {
      headers: { authorization: `Bearer ${key}` },
    })
    if (!answer.ok) {
      throw new Error(
        `Warming up failed with ${answer.status}: ${(await answer.text()).slice(0, 300)}`,
      )
    }
    const { prices } = priceList.parse(await answer.json())
    warm += prices.filter(({ value }) => typeof value === 'number').length
    if (start % 1000 === 0) options.say(`${warm} codes warm`)
  }
  return warm
}

function candidates(): string[] {
  const ranges: [from: number, to: number, market: string][] = [
    [600_000, 601_999, 'SH'],
    [603_000, 603_999, 'SH'],
    [605_000, 605_599, 'SH'],
    [688_000, 688_799, 'SH'],
    [1, 999, 'SZ'],
    [2000, 3099, 'SZ'],
    [300_000, 301_699, 'SZ'],
    [920_000, 920_999, 'BJ'],
  ]
  return ranges.flatMap(([from, to, market]) =>
    Array.from(
      { length: to - from + 1 },
      (_, index) => `${String(from + index).padStart(6, '0')}.${market}`,
    ),
  )
}
