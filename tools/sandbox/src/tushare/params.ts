import { isRealDate, type MarketDate } from '../market/dates.ts'
import { errors } from './errors.ts'

/** The params object of a call. Every value may be a string or a number; empty is the same as absent. */
export type Params = {
  text: (name: string) => string | undefined
  /** Comma-joined codes. */
  codes: (name?: string) => string[] | undefined
  date: (name: string) => MarketDate | undefined
  /** trade_date alone, or start_date to end_date; open ends reach over everything. */
  range: (exact?: string) => { from: MarketDate; to: MarketDate }
  count: (name: string) => number | undefined
}

const maxCodes = 1_000

export function readParams(raw: unknown): Params {
  if (raw !== undefined && raw !== null && (typeof raw !== 'object' || Array.isArray(raw)))
    throw errors.badParameter('params')
  const values = new Map(Object.entries(raw ?? {}))
  const text = (name: string): string | undefined => {
    const value: unknown = values.get(name)
    if (value === undefined || value === null || value === '') return undefined
    if (typeof value !== 'string' && typeof value !== 'number') throw errors.badParameter(name)
    return String(value).trim()
  }
  const date = (name: string): MarketDate | undefined => {
    const value = text(name)
    if (value === undefined) return undefined
    if (!/^\d{8}$/.test(value) || !isRealDate(Number(value))) throw errors.badParameter(name)
    return Number(value)
  }
  return {
    text,
    date,
    codes: (name = 'ts_code') => {
      const codes = text(name)?.toUpperCase().split(',').filter(Boolean)
      if (codes && codes.length > maxCodes) throw errors.badParameter(name)
      return codes && [...new Set(codes)]
    },
    range: (exact = 'trade_date') => {
      const day = date(exact)
      if (day !== undefined) return { from: day, to: day }
      return { from: date('start_date') ?? 19_000_101, to: date('end_date') ?? 99_991_231 }
    },
    count: (name) => {
      const value = text(name)
      if (value === undefined) return undefined
      if (!/^\d{1,9}$/.test(value)) throw errors.badParameter(name)
      return Number(value)
    },
  }
}
