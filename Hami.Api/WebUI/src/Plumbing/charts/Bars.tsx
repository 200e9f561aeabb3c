import { useMemo } from 'react'
import uPlot from 'uplot'
import * as units from '../units'
import { axisColours, Canvas, palette } from './Canvas'

export interface BarsProps {
  label: string
  /** What a bar counts. */
  of: string
  /** What the bars' names tell. */
  by?: string
  bars: { name: string; value: number }[]
  height?: number
}

export default function Bars({ label, of, by, bars, height = 180 }: BarsProps) {
  const data = useMemo<uPlot.AlignedData>(() => [bars.map((_, i) => i), bars.map((bar) => bar.value)], [bars])
  const options = useMemo(
    () => (isDark: boolean): Omit<uPlot.Options, 'width' | 'height'> => {
      const { stroke, grid } = axisColours(isDark)
      const axis = { stroke, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid, width: 1 }, font: '12px system-ui' }
      return {
        cursor: { drag: { x: false, y: false } },
        scales: { x: { time: false, range: [-0.6, bars.length - 0.4] }, y: { range: (_, __, most) => [0, Math.max(1, (most ?? 0) * 1.1)] } },
        axes: [
          { ...axis, splits: () => bars.map((_, i) => i), values: (_, splits) => splits.map((i) => bars[i]?.name ?? ''), grid: { show: false } },
          { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000], size: 50 },
        ],
        series: [
          { label: by ?? '\u00a0', value: (_, i) => (i == null ? units.unknown : (bars[i]?.name ?? '')) },
          { label: of, value: (_, v) => units.count(v), stroke: palette.blue, fill: palette.blue, paths: uPlot.paths.bars!({ size: [0.7, 64] }), points: { show: false } },
        ],
      }
    },
    [bars, by, of],
  )
  return <Canvas label={label} options={options} data={data} height={height} />
}
