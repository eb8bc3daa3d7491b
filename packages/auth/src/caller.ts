import type { HttpEnv } from '@twilight/service/route'
import type { Context } from 'hono'

/** Who asks, as handlers see it. */
export type Caller = {
  userId: string
  userName: string
  keyId: string
  scopes: readonly string[]
  plan: string
}

const callers = new WeakMap<object, Caller>()

/** Who a guard let in for this request; undefined when it had no valid key or was over its limit. */
export function callerOf(c: Context<HttpEnv>): Caller | undefined {
  return callers.get(c.get('request'))
}

export function setCaller(c: Context<HttpEnv>, caller: Caller): void {
  callers.set(c.get('request'), caller)
}
