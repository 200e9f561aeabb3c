import 'uplot/dist/uPlot.min.css'
import { useComputedColorScheme } from '@mantine/core'
import { useElementSize } from '@mantine/hooks'
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import classes from './Canvas.module.css'

/** Colours of lines and bars, as the theme has them. */
export const palette = { blue: '#228be6', teal: '#12b886', orange: '#fd7e14', grape: '#be4bdb', red: '#fa5252', cyan: '#15aabf', gray: '#868e96' } as const

export type Colour = keyof typeof palette

export function axisColours(isDark: boolean): { stroke: string; grid: string } {
  return isDark ? { stroke: '#c9c9c9', grid: 'rgba(255,255,255,0.09)' } : { stroke: '#495057', grid: 'rgba(0,0,0,0.08)' }
}

/** A chart of uPlot's, as wide as its place, drawn again when the place, the data or the colours change. */
export function Canvas({ label, options, data, height }: {
  label: string
  options: (isDark: boolean) => Omit<uPlot.Options, 'width' | 'height'>
  data: uPlot.AlignedData
  height: number
}) {
  const { ref, width } = useElementSize()
  const place = useRef<HTMLDivElement>(null)
  const isDark = useComputedColorScheme('light') === 'dark'
  const isSized = width > 0
  useEffect(() => {
    if (!isSized || !place.current) return
    const chart = new uPlot({ ...options(isDark), width, height }, data, place.current)
    return () => chart.destroy()
  }, [options, data, width, isSized, height, isDark])
  return (
    <figure ref={ref} aria-label={label} className={classes.chart} style={{ minHeight: height }}>
      <div ref={place} />
    </figure>
  )
}
