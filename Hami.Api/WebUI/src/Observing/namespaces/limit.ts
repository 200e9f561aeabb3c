/** The tightest of the limits that hold at once; null when none limits it. */
export function tightest(limits: (number | null | undefined)[]): number | null {
  const known = limits.filter((limit) => limit != null)
  return known.length > 0 ? Math.min(...known) : null
}
