import { Button } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { ChartPie } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'
import classes from './Charts.module.css'

/** Whether the charts above a list are shown; remembered on this device, and hidden on a phone until somebody wants them. */
export function useCharts(list: string): [boolean, (shown: boolean) => void] {
  const [isShown, show] = useLocalStorage({ key: `hami-charts-${list}`, defaultValue: window.matchMedia('(min-width: 48em)').matches, getInitialValueInEffect: false })
  return [isShown, show]
}

export function ChartsButton({ isShown, show }: { isShown: boolean; show: (shown: boolean) => void }) {
  const { t } = useTranslation('registering')
  return (
    <Button size="xs" variant="default" leftSection={<ChartPie size={14} aria-hidden />} aria-expanded={isShown} onClick={() => show(!isShown)}>
      {t(isShown ? 'charts.hide' : 'charts.show')}
    </Button>
  )
}

/** The charts above a list beside each other, the first a little wider than the others. */
export function Heads({ children }: { children: ReactNode }) {
  return <div className={classes.heads}>{children}</div>
}
