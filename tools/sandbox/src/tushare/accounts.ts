import type { Clock } from '../clock.ts'
import type { Config, TushareAccount } from '../config.ts'
import { inBeijing } from '../market/dates.ts'
import { errors, type Window } from './errors.ts'
import type { Interface } from './interface.ts'

export type Accounts = {
  /** Throws unless the token is one of ours. */
  identify: (token: unknown) => TushareAccount
  /** Throws Tushare's refusal unless this token may make this call now; the call is then on its account. */
  charge: (call: { token: unknown; address: string; api: Interface; newWording: boolean }) => void
  /** Calls a minute that a token's points buy. */
  minuteLimit: (token: unknown) => number
  reset: () => void
}

/** Who may call what how often: tokens, points, separate permissions, addresses, and windows by the sandbox's clock. */
export function createAccounts({ config, clock }: { config: Config; clock: Clock }): Accounts {
  const accounts = new Map(config.tushareTokens.map((account) => [account.token, account]))
  const windows = new Map<string, { window: number; calls: number }>()
  const addresses = new Map<string, { date: number; seen: Set<string> }>()

  const spend = (
    token: string,
    api: Interface,
    window: Window,
    limit: number | undefined,
    newWording: boolean,
  ): void => {
    if (limit === undefined) return
    const key = `${token} ${api.name} ${window}`
    const current = windowNumber(window, clock.now())
    const spent = windows.get(key)
    const calls = spent?.window === current ? spent.calls : 0
    if (calls >= limit) throw errors.tooFast(api.name, limit, window, newWording)
    windows.set(key, { window: current, calls: calls + 1 })
  }

  const seeAddress = (token: string, address: string): void => {
    const { date } = inBeijing(clock.now())
    const entry = addresses.get(token)
    const today = entry?.date === date ? entry : { date, seen: new Set<string>() }
    addresses.set(token, today)
    if (!today.seen.has(address) && today.seen.size >= config.tushareMaxAddresses) {
      throw errors.tooManyAddresses(config.tushareMaxAddresses)
    }
    today.seen.add(address)
  }

  const identify = (token: unknown): TushareAccount => {
    const account = accounts.get(String(token))
    if (!account) throw errors.badToken()
    return account
  }

  return {
    identify,
    charge: ({ token, address, api, newWording }) => {
      const account = identify(token)
      seeAddress(account.token, address)
      const trial = usesTrial(account, api)
      if (!trial && !mayUse(account, api)) throw errors.noPermission()
      const level = levelOf(account.points)
      // The long windows first: a call that the day refuses must not count against the minute.
      spend(account.token, api, 'day', trial ? api.trial?.perDay : level.perDay, newWording)
      spend(account.token, api, 'hour', trial ? api.trial?.perHour : undefined, newWording)
      spend(account.token, api, 'minute', level.perMinute, newWording)
    },
    minuteLimit: (token) => levelOf(accounts.get(String(token))?.points ?? 0).perMinute,
    reset: () => {
      windows.clear()
      addresses.clear()
    },
  }
}

function usesTrial(account: TushareAccount, api: Interface): boolean {
  return api.trial !== undefined && !mayUse(account, api) && account.points >= 120
}

function mayUse(account: TushareAccount, api: Interface): boolean {
  if (api.soldSeparately)
    return account.permissions.includes('*') || account.permissions.includes(api.name)
  return account.points >= api.points
}

type Level = { points: number; perMinute: number; perDay: number | undefined }

const lowest: Level = { points: 0, perMinute: 50, perDay: 8_000 }
const levels: readonly Level[] = [
  { points: 10_000, perMinute: 500, perDay: undefined },
  { points: 5_000, perMinute: 500, perDay: undefined },
  { points: 2_000, perMinute: 200, perDay: 100_000 },
]

function levelOf(points: number): Level {
  return levels.find((level) => points >= level.points) ?? lowest
}

/** Windows are the clock's own minutes, hours and Beijing days, so waiting for the next full one helps. */
function windowNumber(window: Window, now: number): number {
  const { date, minute } = inBeijing(now)
  if (window === 'day') return date
  return window === 'hour' ? date * 24 + Math.floor(minute / 60) : date * 1_440 + minute
}
