import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'
import uPlot from 'uplot'
import { memory, unknown } from '../units'
import { axisColours, Canvas, palette, type Colour } from './Canvas'

/** One line: where its values stand in the points, what it is called, its colour. */
export interface Line {
  key: string
  label: string
  colour: Colour
  /** Drawn as steps: for what stays until it changes. Straight from value to value when not given. */
  isStepped?: boolean
}

/** Values of one moment; null is unknown, and leaves a gap. */
export type Point = { at: string } & { [key: string]: number | string | null | undefined }

export interface TimeChartProps {
  /** What the chart shows, for who cannot see it. */
  label: string
  lines: Line[]
  /** In order of time. */
  points: Point[]
  /** Writes a value with its unit; must be the same function every time. */
  format: (value: number) => string
  /** The top of the axis, such as 100 for percentages; as high as the values when not given. */
  top?: number
  height?: number
  /** Somebody marked a part of the time with the mouse. */
  onZoom?: (from: Date, to: Date) => void
}

const powersOfTwo = Array.from({ length: 40 }, (_, i) => 2 ** i)

export default function TimeChart({ label, lines, points, format, top, height = 180, onZoom }: TimeChartProps) {
  const { t, i18n } = useTranslation('plumbing')
  const language = i18n.language === 'zh' ? 'zh-CN' : 'en'
  const data = useMemo<uPlot.AlignedData>(
    () => [points.map((p) => Date.parse(p.at) / 1000), ...lines.map((line) => points.map((p) => (p[line.key] as number | null | undefined) ?? null))],
    [points, lines],
  )
  const options = useMemo(() => {
    const span = points.length > 1 ? Date.parse(points.at(-1)!.at) - Date.parse(points[0]!.at) : 0
    const tick = new Intl.DateTimeFormat(language, span > 2 * 86_400_000 ? { month: 'short', day: 'numeric' } : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    const exact = new Intl.DateTimeFormat(language, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
    return (isDark: boolean): Omit<uPlot.Options, 'width' | 'height'> => {
      const { stroke, grid } = axisColours(isDark)
      const axis = { stroke, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui' }
      return {
        // All charts of a page show the same moment under the mouse.
        cursor: { sync: { key: 'time' }, drag: { x: !!onZoom, y: false, setScale: false }, points: { size: 6 } },
        scales: { x: { time: true }, y: { range: (_, __, most) => [0, top === undefined ? (most || 1) * 1.05 : Math.max(top, most ?? 0)] } },
        axes: [
          { ...axis, values: (_, splits) => splits.map((s) => tick.format(s * 1000)), space: 70 },
          // Memory is counted in powers of two.
          { ...axis, values: (_, splits) => splits.map(format), size: 72, ...(format === memory ? { incrs: powersOfTwo } : {}) },
        ],
        series: [
          { label: t('chart.time'), value: (_, s) => (s == null ? unknown : exact.format(s * 1000)) },
          ...lines.map((line): uPlot.Series => ({
            label: line.label,
            stroke: palette[line.colour],
            fill: `${palette[line.colour]}1a`,
            width: 2,
            paths: line.isStepped ? uPlot.paths.stepped!({ align: 1 }) : uPlot.paths.linear!(),
            points: { show: points.length < 3 },
            value: (_, v) => (v == null ? unknown : format(v)),
          })),
        ],
        hooks: {
          setSelect: [
            (chart) => {
              if (chart.select.width > 4) onZoom?.(new Date(chart.posToVal(chart.select.left, 'x') * 1000), new Date(chart.posToVal(chart.select.left + chart.select.width, 'x') * 1000))
            },
          ],
        },
      }
    }
  }, [points, lines, format, top, language, t, onZoom])
  return <Canvas label={label} options={options} data={data} height={height} />
}
