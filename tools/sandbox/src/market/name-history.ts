import type { Calendar } from './calendar.ts'
import { addDays, type MarketDate } from './dates.ts'
import { fraction, hash32 } from './random.ts'
import type { Stock } from './securities.ts'
import { inventName } from './stock-names.ts'

export type NamePeriod = {
  name: string
  start: MarketDate
  /** The last day of the name; undefined while it lasts. */
  end: MarketDate | undefined
  announced: MarketDate
  reason: '上市' | '改名' | 'ST' | '*ST' | '撤销ST' | '其他'
  /** Under special treatment: main-board prices may move only 5 % a day. */
  specialTreatment: boolean
}

/** What a stock was called from its listing on, oldest first. The periods touch and never overlap. */
export function inventNameHistory(stock: Stock, calendar: Calendar): NamePeriod[] {
  const starts = inventChanges(stock, calendar)
  return starts.map(({ name, start, reason, specialTreatment }, i) => {
    const next = starts[i + 1]
    return {
      name,
      start,
      end: next ? addDays(next.start, -1) : stock.delistDate && addDays(stock.delistDate, -1),
      announced: reason === '上市' ? start : addDays(start, -1),
      reason,
      specialTreatment,
    }
  })
}

export function nameOn(history: NamePeriod[], date: MarketDate): NamePeriod | undefined {
  return history.findLast((period) => period.start <= date) ?? history[0]
}

type Change = Omit<NamePeriod, 'end' | 'announced'>

function inventChanges(stock: Stock, calendar: Calendar): Change[] {
  const { seed, name } = stock
  const changes: Change[] = []
  const add = (start: MarketDate, newName: string, reason: Change['reason']): void => {
    const last = changes.at(-1)
    const tradingDay = calendar.dateAt(
      Math.min(calendar.indexFrom(start), calendar.days.length - 1),
    )
    if (last && tradingDay <= last.start) return
    changes.push({
      name: newName,
      start: tradingDay,
      reason,
      specialTreatment: newName.includes('ST') || newName.startsWith('退市'),
    })
  }
  const renamed =
    !stock.known && stock.board !== 'b' && stock.listDate < 20_160_101 && fraction(seed, 40) < 0.08
  const oldName = renamed ? inventName(seed, 50).name : name
  changes.push({ name: oldName, start: stock.listDate, reason: '上市', specialTreatment: false })
  if (renamed) add(dayIn(2017, 6, seed, 41), name, '改名')
  if (canBeTreated(stock)) {
    if (stock.delistDate !== undefined) {
      add(addDays(stock.delistDate, -400), `*ST${name.slice(0, 2)}`, '*ST')
      add(addDays(stock.delistDate, -30), `退市${name.slice(0, 2)}`, '其他')
    } else if (fraction(seed, 42) < 0.07) {
      // Special treatment follows the annual reports, so it begins around the first of May.
      const year = 2018 + (hash32(seed, 43) % 9)
      add(
        year * 10_000 + 502,
        `${fraction(seed, 44) < 0.5 ? '*ST' : 'ST'}${name.slice(0, 2)}`,
        fraction(seed, 44) < 0.5 ? '*ST' : 'ST',
      )
      if (year < 2026 && fraction(seed, 45) < 0.7) add((year + 1) * 10_000 + 611, name, '撤销ST')
    }
  }
  return changes
}

function canBeTreated(stock: Stock): boolean {
  return (
    !stock.known &&
    stock.business === 'general' &&
    stock.board !== 'b' &&
    stock.board !== 'bse' &&
    stock.listDate < 20_170_101
  )
}

function dayIn(firstYear: number, years: number, seed: number, salt: number): MarketDate {
  const year = firstYear + (hash32(seed, salt) % years)
  return year * 10_000 + (1 + (hash32(seed, salt, 1) % 12)) * 100 + 1 + (hash32(seed, salt, 2) % 28)
}
