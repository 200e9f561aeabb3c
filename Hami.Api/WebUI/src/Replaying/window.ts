/** Lengths of time that the slider can span, in ms. */
export const lengths = { '1h': 3_600_000, '6h': 21_600_000, '1d': 86_400_000, '7d': 604_800_000, '30d': 2_592_000_000 } as const

export type LengthName = keyof typeof lengths

/** How far an arrow key moves the slider, in ms. */
export const steps: Record<LengthName, number> = { '1h': 10_000, '6h': 60_000, '1d': 300_000, '7d': 1_800_000, '30d': 7_200_000 }

/** A part of time, in ms since 1970. */
export interface Span {
  from: number
  to: number
}

/**
 * Where the slider's time ends; null when it ends now, and moves on with it.
 * It stays where it is while the moment is in sight; a moment out of sight is brought to its middle.
 */
export function endOf(before: number | null, length: number, at: number | undefined, now: number): number | null {
  if (at === undefined) return null
  const end = before ?? now
  if (at >= end - length && at <= end) return before
  const middle = at + length / 2
  return at >= now - length || middle >= now ? null : middle
}

/** What the slider spans: so much before the end, but nothing before the log begins, and at least a minute. */
export function spanOf(end: number | null, length: number, now: number, begin: number | undefined): Span {
  const to = end ?? now
  return { from: Math.min(Math.max(to - length, begin ?? -Infinity), to - 60_000), to }
}

/** Microseconds beyond the whole ms of a time as text; Date knows none. */
function microseconds(time: string): number {
  return Number((/\.\d{3}(\d{1,3})/.exec(time)?.[1] ?? '').padEnd(3, '0'))
}

/** The first moment, in whole ms as moments of pages are, at which something of that time (to the microsecond) has happened. */
export function momentOf(happened: string): number {
  return Date.parse(happened) + (microseconds(happened) > 0 ? 1 : 0)
}

/** As a bound of time that is not included: everything that has happened by this moment comes before it. */
export function justAfter(moment: string): string {
  const next = microseconds(moment) + 1
  const text = new Date(Date.parse(moment) + (next === 1_000 ? 1 : 0)).toISOString()
  return text.replace('Z', `${String(next % 1_000).padStart(3, '0')}Z`)
}

/** Which events to look among for the next or the previous change of the picture at a moment. */
export function beside(at: string | undefined, isBack: boolean): { from?: string; to?: string; descending: boolean } {
  if (at === undefined) return { descending: true }
  // What happened within the millisecond of the moment is in its picture already; going back has to leave it.
  return isBack ? { to: justAfter(new Date(momentOf(at) - 1).toISOString()), descending: true } : { from: justAfter(at), descending: false }
}

export const speeds = ['1', '10', '60', '600', 'events'] as const

export type Speed = (typeof speeds)[number]

/** How long a picture of the replay stays at least, in ms. */
export const pace = 1_000

/** The moment of the next picture at a speed; undefined when that is now. */
export function replayed(at: number, speed: Exclude<Speed, 'events'>, now: number): number | undefined {
  const next = at + Number(speed) * pace
  return next < now ? next : undefined
}

/** How many events fell into each of some equal parts of a span. Null is unknown: more happened than was looked at. */
export interface Density {
  all: (number | null)[]
  /** Those of them that say that something went wrong. */
  bad: (number | null)[]
}

export interface Happened {
  at: string
  type: string
}

const badTypes = new Set(['placement_refused', 'preemption_planned', 'node_removed', 'device_cordoned'])

/**
 * @param newest The last events of the span, latest first.
 * @param oldest Its first ones, earliest first; only where there are more than the newest.
 */
export function densityOf(span: Span, parts: number, newest: readonly Happened[], oldest: readonly Happened[] | undefined): Density {
  const partOf = (at: string) => Math.floor(((Date.parse(at) - span.from) / (span.to - span.from)) * parts)
  const density: Density = { all: Array<number>(parts).fill(0), bad: Array<number>(parts).fill(0) }
  const since = newest.at(-1)?.at
  const until = oldest?.at(-1)?.at
  const seen = oldest && since ? [...newest, ...oldest.filter((e) => e.at < since)] : newest
  for (const { at, type } of seen) {
    const part = partOf(at)
    if (part < 0 || part >= parts) continue
    density.all[part]!++
    if (badTypes.has(type)) density.bad[part]!++
  }
  if (oldest && since && until && until < since)
    for (let part = Math.max(0, partOf(until) + 1); part < Math.min(parts, partOf(since)); part++) density.all[part] = density.bad[part] = null
  return density
}
