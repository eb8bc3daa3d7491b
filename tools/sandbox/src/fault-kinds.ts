/** What the frame does to any HTTP answer, without knowing the protocol. */
export const wireFaults = [
  'timeout',
  'slow',
  'http_500',
  'http_502_html',
  'http_429',
  'refused',
  'reset',
  'truncated',
  'garbled',
  'empty_body',
  'html',
  'gzip_unasked',
  'trickle',
] as const

/** What only the double can say in its upstream's words. */
export const doubleFaults = [
  'empty',
  'wrong_shape',
  'bad_numbers',
  'lie',
  'quota',
  'quota_day',
  'no_permission',
  'bad_token',
  'ip_limit',
] as const

export const faultKinds = [...wireFaults, ...doubleFaults] as const

export type WireFault = (typeof wireFaults)[number]
export type DoubleFault = (typeof doubleFaults)[number]
export type FaultKind = (typeof faultKinds)[number]

export function isDoubleFault(kind: FaultKind): kind is DoubleFault {
  return (doubleFaults as readonly string[]).includes(kind)
}
