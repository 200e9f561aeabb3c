/** Where the parts of a card are drawn. Places and widths are shares of the whole bar, from 0 to 1. */

/** What is laid out: who, and how much of the whole. */
export interface Part {
  key: string
  size: number
}

/** A part, or what is free (key null), in its place. */
export interface Placed {
  key: string | null
  start: number
  width: number
}

/** Narrower than this a slice can neither be seen nor met with a mouse. */
const least = 0.012

/**
 * Parts of a card beside each other and what is free behind them: widths as their sizes, but none too narrow to see; together the whole bar.
 * Where parts together are more than the whole, as an init container and the app container that follows it can be, they share the bar by size.
 */
export function sideBySide(whole: number, parts: Part[]): Placed[] {
  const there = parts.filter((part) => part.size > 0)
  const held = there.reduce((sum, part) => sum + part.size, 0)
  const all: { key: string | null; size: number }[] = [...there]
  if (whole > held) all.push({ key: null, size: whole - held })
  const widths = widened(all.map((part) => part.size))
  let start = 0
  return all.map((part, i) => {
    const placed = { key: part.key, start, width: widths[i]! }
    start += widths[i]!
    return placed
  })
}

/** Sizes as shares of 1, none less than the least as long as there is room for that; the wide ones give way. */
function widened(sizes: number[]): number[] {
  const floor = Math.min(least, 1 / sizes.length)
  const narrow = new Set<number>()
  for (;;) {
    const rest = sizes.reduce((sum, size, i) => (narrow.has(i) ? sum : sum + size), 0)
    const room = 1 - floor * narrow.size
    const next = sizes.flatMap((size, i) => (!narrow.has(i) && (size / rest) * room < floor ? [i] : []))
    if (next.length === 0) return sizes.map((size, i) => (narrow.has(i) ? floor : (size / rest) * room))
    next.forEach((i) => narrow.add(i))
    if (narrow.size === sizes.length) return sizes.map(() => 1 / sizes.length)
  }
}

/** A MIG instance: who has it, and which memory slices of the card. */
export interface Instance {
  key: string
  start: number
  size: number
}

/** A MIG instance, or a free memory slice (key null), in its place; lanes above each other where instances follow each other in time. */
export interface PlacedInstance extends Placed {
  lane: number
}

/** Instances at their memory slices, and each slice that nobody has. */
export function atSlices(slices: number, instances: Instance[]): PlacedInstance[] {
  const whole = Math.max(slices, ...instances.map((instance) => instance.start + instance.size), 1)
  const ends: number[] = []
  const placed = [...instances]
    .sort((a, b) => a.start - b.start || a.size - b.size)
    .map((instance) => {
      const free = ends.findIndex((end) => end <= instance.start)
      const lane = free < 0 ? ends.length : free
      ends[lane] = instance.start + instance.size
      return { key: instance.key, start: instance.start / whole, width: instance.size / whole, lane }
    })
  const isTaken = (slice: number) => instances.some((instance) => instance.start <= slice && slice < instance.start + instance.size)
  const free = Array.from({ length: whole }, (_, slice) => slice)
    .filter((slice) => !isTaken(slice))
    .map((slice) => ({ key: null, start: slice / whole, width: 1 / whole, lane: 0 }))
  return [...placed, ...free].sort((a, b) => a.lane - b.lane || a.start - b.start)
}

/** How many memory slices a card has, as the places say where instances may begin. */
export function memorySlices(profiles: { placements: { start: number; size: number }[] }[]): number {
  return Math.max(0, ...profiles.flatMap((profile) => profile.placements.map((placement) => placement.start + placement.size)))
}
