import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import { unknown } from '../units'
import { axisColours, Canvas, palette, type Colour } from './Canvas'

export interface StackedBarsProps {
  label: string
  /** UTC days, in order. */
  days: string[]
  /** What stands on each other, the lowest first; a value for each day. */
  parts: { label: string; colour: Colour; values: number[] }[]
  /** Writes a value with its unit; must be the same function every time. */
  format: (value: number) => string
  height?: number
}

export default function StackedBars({ label, days, parts, format, height = 220 }: StackedBarsProps) {
  const { t, i18n } = useTranslation('plumbing')
  const language = i18n.language === 'zh' ? 'zh-CN' : 'en'
  // The tallest is drawn first, and the next over its lower part.
  const tops = useMemo(() => parts.map((_, part) => days.map((_, day) => parts.slice(0, part + 1).reduce((sum, p) => sum + (p.values[day] ?? 0), 0))).reverse(), [parts, days])
  const data = useMemo<uPlot.AlignedData>(() => [days.map((_, i) => i), ...tops], [days, tops])
  const options = useMemo(() => {
    const day = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', timeZone: 'UTC' })
    const name = (i: number) => (days[i] ? day.format(new Date(days[i])) : '')
    return (isDark: boolean): Omit<uPlot.Options, 'width' | 'height'> => {
      const { stroke, grid } = axisColours(isDark)
      const axis = { stroke, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui' }
      // As many days are named as have room.
      const splits = (chart: uPlot) => {
        const every = Math.max(1, Math.ceil(days.length / Math.max(1, chart.width / 72)))
        return days.map((_, i) => i).filter((i) => i % every === 0)
      }
      return {
        cursor: { drag: { x: false, y: false }, points: { show: false } },
        scales: { x: { time: false, range: [-0.6, days.length - 0.4] }, y: { range: (_, __, most) => [0, (most || 1) * 1.05] } },
        axes: [
          { ...axis, splits, values: (_, at) => at.map(name), grid: { show: false } },
          { ...axis, values: (_, at) => at.map(format), size: 72 },
        ],
        series: [
          { label: t('chart.day'), value: (_, i) => (i == null ? unknown : name(i)) },
          ...parts.toReversed().map((part): uPlot.Series => ({
            label: part.label,
            stroke: palette[part.colour],
            fill: palette[part.colour],
            width: 0,
            paths: uPlot.paths.bars!({ size: [0.8, 48] }),
            points: { show: false },
            // The part itself, not how high it reaches.
            value: (_, __, ___, i) => (i == null ? unknown : format(part.values[i] ?? 0)),
          })),
        ],
      }
    }
  }, [days, parts, format, language, t])
  return <Canvas label={label} options={options} data={data} height={height} />
}
