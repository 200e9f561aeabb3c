/** Numbers as people read them; the same everywhere. What is unknown is a dash, never 0. */

export const unknown = '–'

type Maybe = number | null | undefined

/** The language numbers are written in. */
let language = 'en'

export function writeNumbersIn(of: string): void {
  language = of
}

function number(value: number, digits: number): string {
  return new Intl.NumberFormat(language, { maximumFractionDigits: digits, minimumFractionDigits: 0 }).format(value)
}

export function count(value: Maybe): string {
  return value == null ? unknown : number(value, 0)
}

/** Device memory in MiB, as MiB, GiB or TiB. */
export function memory(mib: Maybe): string {
  if (mib == null) return unknown
  if (mib < 1024) return `${number(mib, 0)} MiB`
  if (mib < 1024 * 1024) return `${number(mib / 1024, 1)} GiB`
  return `${number(mib / 1024 / 1024, 2)} TiB`
}

/** Part and whole of device memory in the unit of the whole, such as 9.8 / 23.5 GiB. */
export function memoryOf(part: Maybe, whole: Maybe): string {
  if (whole == null) return memory(part)
  const [size, unit, digits] = whole < 1024 ? [1, 'MiB', 0] : whole < 1024 * 1024 ? [1024, 'GiB', 1] : [1024 * 1024, 'TiB', 2]
  return `${part == null ? unknown : number(part / (size as number), digits as number)} / ${number(whole / (size as number), digits as number)} ${unit}`
}

/** Compute in cards: 250 percent is 2.5. */
export function cards(percent: Maybe): string {
  return percent == null ? unknown : number(percent / 100, 2)
}

export function cardsOf(part: Maybe, whole: Maybe): string {
  return `${cards(part)} / ${cards(whole)}`
}

export function percent(value: Maybe, digits = 0): string {
  return value == null ? unknown : `${number(value, digits)} %`
}

/** Percent that a part is of a whole; null where there is no whole. */
export function share(part: Maybe, whole: Maybe): number | null {
  return part == null || !whole ? null : (part / whole) * 100
}

export function watts(value: Maybe): string {
  return value == null ? unknown : value >= 10_000 ? `${number(value / 1000, 1)} kW` : `${number(value, 0)} W`
}

export function celsius(value: Maybe): string {
  return value == null ? unknown : `${number(value, 0)} °C`
}

/** A number that is not counted but measured, such as hours: the more of it, the fewer decimals. */
export function amount(value: Maybe): string {
  return value == null ? unknown : number(value, value < 10 ? 2 : value < 100 ? 1 : 0)
}

/** How many times more there is than the hardware has, such as × 1.5. */
export function times(value: Maybe): string {
  return value == null ? unknown : `× ${number(value, 2)}`
}

export function hours(value: Maybe): string {
  return value == null ? unknown : `${amount(value)} h`
}

/** CPU in thousandths, as cores. */
export function cpus(milli: Maybe): string {
  return milli == null ? unknown : number(milli / 1000, 2)
}

/** A moment in the reader's own time zone. */
export function moment(at: string | Date | null | undefined): string {
  return at == null ? unknown : new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeStyle: 'medium' }).format(new Date(at))
}

/** Units of time as they stand behind a number. */
const timeUnits = { en: { ms: ' ms', s: ' s', min: ' min', h: ' h', d: ' d' }, zh: { ms: ' 毫秒', s: ' 秒', min: ' 分', h: ' 小时', d: ' 天' } }

/** How long something took or takes, in its two largest units. */
export function duration(milliseconds: number): string {
  const unit = timeUnits[language.startsWith('zh') ? 'zh' : 'en']
  const seconds = Math.max(0, milliseconds) / 1000
  if (seconds < 1) return `${number(seconds * 1000, 0)}${unit.ms}`
  if (seconds < 60) return `${number(seconds, seconds < 10 ? 1 : 0)}${unit.s}`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}${unit.min} ${Math.floor(seconds % 60)}${unit.s}`
  const whole = Math.floor(minutes / 60)
  return whole < 48 ? `${whole}${unit.h} ${minutes % 60}${unit.min}` : `${Math.floor(whole / 24)}${unit.d} ${whole % 24}${unit.h}`
}

export function since(from: string, until: string | Date = new Date()): string {
  return duration(new Date(until).getTime() - new Date(from).getTime())
}
