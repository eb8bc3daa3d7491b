import type { ThirdParty } from './third-party.ts'
import { tushare } from './tushare/tushare.ts'

/** Every third party there is: one line each. */
export const thirdParties: readonly ThirdParty[] = [tushare]
