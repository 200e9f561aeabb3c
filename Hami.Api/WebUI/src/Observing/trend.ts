import type { Point } from '../Plumbing/charts'

/** Values over time, each good from its moment until its step is over. */
export interface Steps {
  stepSeconds: number
  points: Point[]
}

/**
 * Brings what is measured at different moments onto one line of time, for one chart:
 * at each moment of any of them stands what each of them says of it.
 */
export function together(...trends: (Steps | undefined)[]): Point[] {
  const known = trends.filter((trend) => trend !== undefined)
  const times = [...new Set(known.flatMap((trend) => trend.points.map((point) => Date.parse(point.at))))].sort((a, b) => a - b)
  const lines = known.map(walker)
  return times.map((time) => Object.assign({}, ...lines.map((line) => line(time)), { at: new Date(time).toISOString() }) as Point)
}

/** Says what a trend says of a moment; moments must be asked in order. */
function walker({ stepSeconds, points }: Steps): (time: number) => Partial<Point> {
  let next = 0
  return (time) => {
    while (next < points.length && Date.parse(points[next]!.at) <= time) next++
    const point = points[next - 1]
    return point && time < Date.parse(point.at) + stepSeconds * 1000 ? point : {}
  }
}
