import { ActionIcon, Alert, Button, Group, Paper, Skeleton, Text, Tooltip, VisuallyHidden } from '@mantine/core'
import { ChevronDown, ChevronUp, History, RotateCcw, X } from 'lucide-react'
import { lazy, Suspense, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useMoment } from '../Plumbing/moment'
import * as units from '../Plumbing/units'
import classes from './TimeBar.module.css'
import { useNow } from './useNow'

// The slider, the calendar and the replay come when somebody opens them, not with the first page.
const TimeControls = lazy(() => import('./TimeControls'))

export interface TimeBarState {
  isOpen: boolean
  open: (isOpen: boolean) => void
}

/** Whether the time bar shows its controls: in the past unless somebody closed them, now only when somebody opened them. */
export function useTimeBar(): TimeBarState {
  const { isNow } = useMoment()
  const [opened, open] = useState<boolean>()
  // Whoever enters the past sees how to move in it.
  useEffect(() => {
    if (!isNow) open((before) => before || undefined)
  }, [isNow])
  return { isOpen: opened ?? !isNow, open }
}

/** The small control of the header: says whether the page shows now, and opens the time bar or leads back to now. */
export function TimeButton({ isOpen, open }: TimeBarState) {
  const { t } = useTranslation('replaying')
  const moment = useMoment()
  if (!moment.isNow)
    return (
      <Button size="compact-sm" hiddenFrom="sm" className={classes.back} leftSection={<RotateCcw size={14} aria-hidden />} data-testid="timebar-header-now" onClick={() => { open(false); moment.set(undefined, { push: true }) }}>
        {t('time.backToNow')}
      </Button>
    )
  return (
    <Tooltip label={t('time.open')}>
      <Button size="compact-sm" variant={isOpen ? 'light' : 'default'} leftSection={<History size={14} aria-hidden />} aria-expanded={isOpen} aria-label={t('time.openNow')} data-testid="timebar-open" onClick={() => open(!isOpen)}>
        {t('time.now')}
      </Button>
    </Tooltip>
  )
}

/** Shows which moment the page is of, and lets somebody choose another. */
export function TimeBar({ isOpen, open }: TimeBarState) {
  const { t } = useTranslation('replaying')
  const moment = useMoment()
  const isFuture = !!moment.at && Date.parse(moment.at) > Date.now()
  return (
    <>
      {/* Told aloud when somebody enters or leaves the past, not at every step. */}
      <VisuallyHidden role="status">{t(moment.isNow ? 'time.isNow' : 'time.isPast')}</VisuallyHidden>
      {(isOpen || !moment.isNow) && (
        <Paper component="section" aria-label={t('time.label')} className={classes.bar} data-past={!moment.isNow || undefined} data-testid="timebar" data-at={moment.at} withBorder radius="md" px="md" py="xs" mb="md">
          <Group justify="space-between" gap="xs" wrap="nowrap" align="center">
            <Group gap="xs" wrap="nowrap" style={{ minWidth: 0 }}>
              <History size={20} aria-hidden className={classes.icon} />
              <Text size="sm" component="div" data-testid="timebar-says">
                {moment.isNow ? t('time.showsNow') : <Past at={moment.at!} />}
              </Text>
            </Group>
            <Group gap={4} wrap="nowrap">
              {!moment.isNow && <Button size="compact-sm" className={classes.back} visibleFrom="sm" leftSection={<RotateCcw size={14} aria-hidden />} data-testid="timebar-now" onClick={() => { open(false); moment.set(undefined, { push: true }) }}>{t('time.backToNow')}</Button>}
              <Tooltip label={t(moment.isNow ? 'time.close' : isOpen ? 'time.fold' : 'time.unfold')}>
                <ActionIcon variant="subtle" color="gray" className={classes.icon} aria-expanded={isOpen} aria-label={t(moment.isNow ? 'time.close' : isOpen ? 'time.fold' : 'time.unfold')} onClick={() => open(!isOpen)}>
                  {moment.isNow ? <X size={18} /> : isOpen ? <ChevronUp size={18} /> : <ChevronDown size={18} />}
                </ActionIcon>
              </Tooltip>
            </Group>
          </Group>
          {isFuture && <Alert color="yellow" variant="light" mt="xs" role="status">{t('time.future')}</Alert>}
          {isOpen && <Suspense fallback={<Skeleton height={104} mt="xs" />}><TimeControls onTouch={() => open(true)} /></Suspense>}
        </Paper>
      )}
    </>
  )
}

function Past({ at }: { at: string }) {
  const { t } = useTranslation('replaying')
  const now = useNow(5_000)
  return (
    <>
      {t('time.showsPast')} <strong className={classes.when} data-testid="timebar-when">{units.moment(at)}</strong> <span className={classes.ago}>{t('time.ago', { ago: units.since(at, new Date(Math.max(now, Date.parse(at)))) })}</span>
    </>
  )
}
