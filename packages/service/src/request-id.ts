import { randomUUID } from 'node:crypto'

const wellFormed = /^[\w.=-]{8,64}$/

/** The caller's own request id when it is harmless to print, else a new one. */
export function requestIdFrom(header: string | undefined): string {
  return header !== undefined && wellFormed.test(header) ? header : newRequestId()
}

/** A UUID version 7: ids sort by the time they were made. */
export function newRequestId(): string {
  const time = Date.now().toString(16).padStart(12, '0')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`
}
