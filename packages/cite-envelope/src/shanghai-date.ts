const offsetMs = 8 * 60 * 60 * 1000

/** The date on a wall in Shanghai, which keeps UTC+8 all year: trading dates are counted there. */
export function shanghaiDate(instantMs: number): string {
  return new Date(instantMs + offsetMs).toISOString().slice(0, 10)
}

/** `20261119` (as sources write dates) or `2026-11-19` as `2026-11-19`; other text stays as it is. */
export function dashedDate(text: string): string {
  return /^\d{8}$/.test(text) ? `${text.slice(0, 4)}-${text.slice(4, 6)}-${text.slice(6)}` : text
}

/** How far two honest clocks may differ before a time counts as lying in the future. */
export const clockSkewMs = 5 * 60 * 1000
