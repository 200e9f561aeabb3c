import type { Point } from '../Plumbing/charts'

/** What was allocated at a moment. */
interface Held {
  at: string
  cores: number
  memoryMiB: number
  usedCores: number
  usedMemoryMiB: number
}

/** What was measured of a step that begins at a moment; null is unknown. */
interface Used {
  at: string
  busy?: number | null
  memoryUsedMiB?: number | null
  temperatureCelsius?: number | null
  powerWatts?: number | null
}

/** Points of both trends in order of time, each with what is known of it. */
export function together(held: Held[], used: Used[]): Point[] {
  const points = new Map<number, Point>()
  const at = (text: string) => {
    const time = Date.parse(text)
    const point = points.get(time) ?? { at: text }
    points.set(time, point)
    return point
  }
  for (const one of held)
    Object.assign(at(one.at), {
      allocatedCores: one.cores > 0 ? (one.usedCores / one.cores) * 100 : null,
      allocatedMemory: one.memoryMiB > 0 ? one.usedMemoryMiB : null,
    })
  for (const one of used)
    Object.assign(at(one.at), { busy: one.busy ?? null, usedMemory: one.memoryUsedMiB ?? null, temperature: one.temperatureCelsius ?? null, power: one.powerWatts ?? null })
  return [...points.entries()].sort(([a], [b]) => a - b).map(([, point]) => point)
}

/** The begin of the step that a moment lies in: where both trends have their points. */
export function wholeStep(at: string, stepSeconds: number): string {
  const step = stepSeconds * 1000
  return new Date(Math.floor(Date.parse(at) / step) * step).toISOString()
}
