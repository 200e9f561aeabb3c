import type { Point } from '../Plumbing/charts'

/** Brings trends with the same steps onto one line of time, for one chart: each point tells what any of them says of its moment. */
export function together(...trends: (Point[] | undefined)[]): Point[] {
  const points = new Map<number, Point>()
  for (const point of trends.flatMap((trend) => trend ?? [])) {
    const time = Date.parse(point.at)
    points.set(time, { ...points.get(time), ...point })
  }
  return [...points].sort(([a], [b]) => a - b).map(([, point]) => point)
}
