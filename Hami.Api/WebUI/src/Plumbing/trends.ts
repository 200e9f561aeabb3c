import type { Point } from './charts'

/** Brings trends with the same steps onto one line of time, for one chart: each point tells what any of them says of its moment. */
export function together(...trends: (Point[] | undefined)[]): Point[] {
  const points = new Map<number, Point>()
  for (const point of trends.flatMap((trend) => trend ?? [])) {
    const time = Date.parse(point.at)
    points.set(time, { ...points.get(time), ...point })
  }
  return [...points].sort(([a], [b]) => a - b).map(([, point]) => point)
}

/** What trends are asked for. */
interface Time {
  from: string
  to: string
  stepSeconds: number
}

/**
 * The time of a page's trends in whole steps. One that ends in the past ends just behind the begin of its last step:
 * its points are the same, and a replay asks once a step, not at every moment it shows.
 */
export function wholeSteps({ from, to, stepSeconds }: Time, isNow: boolean): Time {
  const begin = (at: string) => Math.floor(Date.parse(at) / 1000 / stepSeconds) * stepSeconds * 1000
  return { from: new Date(begin(from)).toISOString(), to: isNow ? to : new Date(begin(to) + 1000).toISOString(), stepSeconds }
}
