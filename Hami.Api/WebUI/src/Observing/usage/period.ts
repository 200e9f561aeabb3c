/** UTC days, written as 2026-11-26. */
export interface Period {
  from: string
  /** The last day, which counts. */
  to: string
  /** The day after it, as the API wants it. */
  until: string
}

const oneDay = 86_400_000
const usualDays = 30
/** The server tells of each day in one page. */
const mostDays = 366

export function dayOf(moment: number): string {
  return new Date(moment).toISOString().slice(0, 10)
}

export function addDays(day: string, days: number): string {
  return dayOf(Date.parse(day) + days * oneDay)
}

/** The days that an address says; the last 30 up to `today` when it says none, or none that can be. */
export function periodOf(from: string | undefined, to: string | undefined, today: string): Period {
  const last = isDay(to) ? to : today
  const first = isDay(from) ? from : addDays(last, 1 - usualDays)
  if (first > last) return periodOf(undefined, undefined, today)
  const earliest = addDays(last, 1 - mostDays)
  return { from: first < earliest ? earliest : first, to: last, until: addDays(last, 1) }
}

/** Each day of it, the first at the front; none that is not yet. */
export function daysOf({ from, to }: Period, today: string): string[] {
  const last = to < today ? to : today
  const count = (Date.parse(last) - Date.parse(from)) / oneDay + 1
  return Array.from({ length: Math.max(0, count) }, (_, i) => addDays(from, i))
}

function isDay(text: string | undefined): text is string {
  return !!text && /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))
}
