import { useMemo } from 'react'
import uPlot from 'uplot'
import { Canvas, palette } from '../Plumbing/charts/Canvas'
import type { Density } from './window'

/** Bars without axes: how much happened, and in red how much of it went wrong. */
export default function Strip({ label, all, bad, density }: { label: string; all: string; bad: string; density: Density }) {
  // One event among hundreds is still seen.
  const data = useMemo<uPlot.AlignedData>(() => [density.all.map((_, i) => i + 0.5), density.all.map(height), density.bad.map(height)], [density])
  const options = useMemo(
    () => (isDark: boolean): Omit<uPlot.Options, 'width' | 'height'> => {
      const bars = uPlot.paths.bars!({ size: [0.8, 16] })
      const calm = isDark ? '#74c0fc' : palette.blue
      return {
        padding: [0, 0, 0, 0],
        legend: { show: false },
        cursor: { show: false },
        scales: { x: { time: false, range: [0, density.all.length] }, y: { range: (_, __, most) => [0, Math.max(1, most ?? 0)] } },
        axes: [{ show: false }, { show: false }],
        series: [
          {},
          { label: all, stroke: calm, fill: calm, width: 0, paths: bars, points: { show: false } },
          { label: bad, stroke: palette.red, fill: palette.red, width: 0, paths: bars, points: { show: false } },
        ],
      }
    },
    [density, all, bad],
  )
  return <Canvas label={label} options={options} data={data} height={28} />
}

function height(count: number | null): number | null {
  return count === null ? null : Math.sqrt(count)
}
