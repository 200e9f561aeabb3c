import { Button } from '@mantine/core'
import { useLocalStorage } from '@mantine/hooks'
import { ChartPie } from 'lucide-react'
import { useTranslation } from 'react-i18next'

/** Whether the charts above a list are shown; remembered on this device. */
export function useCharts(list: string): [boolean, (shown: boolean) => void] {
  const [isShown, show] = useLocalStorage({ key: `hami-charts-${list}`, defaultValue: true, getInitialValueInEffect: false })
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
