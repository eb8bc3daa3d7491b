/** Rounds half away from zero to so many decimals, at the double's edge and nowhere before. */
export function roundTo(value: number, decimals: number): number {
  const scale = 10 ** decimals
  return (Math.sign(value) * Math.round(Math.abs(value) * scale + 1e-9)) / scale
}

export function orNull(value: number | null | undefined, decimals: number): number | null {
  return value === null || value === undefined || !Number.isFinite(value)
    ? null
    : roundTo(value, decimals)
}

/** Fen as yuan. */
export function yuan(fen: number | null | undefined): number | null {
  return fen === null || fen === undefined ? null : fen / 100
}
