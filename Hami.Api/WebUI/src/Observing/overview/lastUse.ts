/** What the cards did at the moment of the page, as far as it is known. */
export interface Use {
  /** Percent, the average over the cards that tell. */
  busy: number | null
  memoryUsedMiB: number | null
  /** What these cards have, without memory scaling; known for now alone. */
  memoryTotalMiB: number | null
  /** How many cards tell. */
  devices: number | null
}

/** One step of a trend. */
interface Told {
  at: string
  busy?: number | null
  memoryUsedMiB?: number | null
  series?: number | null
}

/** Nobody tells. */
export const unknown: Use = { busy: null, memoryUsedMiB: null, memoryTotalMiB: null, devices: null }

/** The last of a trend's points before a moment of which something is known. */
export function lastBefore(points: Told[], moment: number): Use {
  const last = points.findLast((point) => Date.parse(point.at) <= moment && (point.busy != null || point.memoryUsedMiB != null))
  return last ? { ...unknown, busy: last.busy ?? null, memoryUsedMiB: last.memoryUsedMiB ?? null, devices: last.series ?? null } : unknown
}
