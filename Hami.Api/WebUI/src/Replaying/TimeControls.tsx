import { ActionIcon, Group, Loader, SegmentedControl, Slider, Text, Tooltip } from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { Pause, Play, StepBack, StepForward } from 'lucide-react'
import { useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'
import { useMoment } from '../Plumbing/moment'
import { useQuestion } from '../Plumbing/question'
import { Failed } from '../Plumbing/states'
import * as units from '../Plumbing/units'
import { BeginDocument } from '../Plumbing/asked'
import { Density } from './Density'
import { MomentPicker } from './MomentPicker'
import classes from './TimeBar.module.css'
import { askBeside, useTravel } from './travel'
import { useNow } from './useNow'
import { useReplay } from './useReplay'
import { endOf, lengths, spanOf, speeds, steps, type LengthName, type Speed } from './window'

/** Moves the page in time: slider, steps from event to event, an exact moment, replay. */
export default function TimeControls({ onTouch }: {
  /** Somebody moves in time: the bar stays open when that leads to now. */
  onTouch: () => void
}) {
  const { t } = useTranslation('replaying')
  const moment = useMoment()
  const travel = useTravel()
  const replay = useReplay()
  const now = useNow(5_000)
  const [lengthName, setLength] = useState<LengthName>('1h')
  const [end, setEnd] = useState<number | null>(null)
  const [stepped, setStepped] = useState<{ isBack: boolean; found?: boolean; error?: unknown }>()
  const log = useQuestion(BeginDocument, {}, { isDear: true }).data
  const begin = log?.horizon?.at ?? log?.events.items[0]?.at

  const at = moment.at ? Date.parse(moment.at) : undefined
  const length = lengths[lengthName]
  const nextEnd = endOf(end, length, at, now)
  if (nextEnd !== end) setEnd(nextEnd)
  const span = spanOf(nextEnd, length, now, begin ? Date.parse(begin) : undefined)

  // Where the thumb is while the page has not followed yet.
  const [wanted, want] = useState<number>()
  const follow = useDebouncedCallback((to: number | undefined) => go(to), 250)
  useEffect(() => want(undefined), [at])

  function go(to: number | undefined) {
    onTouch()
    setStepped(undefined)
    travel(to)
    if (to === undefined || to === at) want(undefined)
  }

  async function step(isBack: boolean) {
    replay.pause()
    onTouch()
    setStepped({ isBack })
    try {
      const to = await askBeside(moment.at, isBack)
      setStepped({ isBack, found: to !== undefined })
      if (to !== undefined || !isBack) travel(to)
    } catch (error) {
      setStepped({ isBack, error })
    }
  }

  function play() {
    onTouch()
    setStepped(undefined)
    if (at === undefined) travel(span.from)
    replay.play()
  }

  const isStepping = stepped && stepped.found === undefined && !stepped.error
  const shown = Math.min(span.to, Math.max(span.from, wanted ?? at ?? span.to))
  return (
    <div>
      <div className={classes.density}><Density span={span} step={steps[lengthName]} /></div>
      <Slider
        size="md"
        thumbSize={20}
        color={moment.isNow ? undefined : 'orange.7'}
        min={span.from}
        max={span.to}
        step={steps[lengthName]}
        value={shown}
        label={(value) => units.moment(new Date(value))}
        // Within the bar also at its ends.
        styles={{ label: { transform: `translateX(${50 - (100 * (shown - span.from)) / (span.to - span.from)}%)` } }}
        thumbLabel={t('time.slider')}
        thumbValueText={(value) => units.moment(new Date(value))}
        thumbProps={{ 'data-testid': 'timebar-slider' } as React.ComponentProps<'div'>}
        onChange={(to) => {
          replay.pause()
          want(to)
          // The end of a time that ends now is now, however long it takes to let go of it.
          follow(nextEnd === null && to > span.to - steps[lengthName] / 2 ? undefined : to)
        }}
      />
      <Group justify="space-between" gap="xs" className={classes.ends}>
        <Text size="xs">{units.moment(new Date(span.from))}</Text>
        <Group gap="md" visibleFrom="sm" aria-hidden>
          <Text size="xs" className={classes.legend} data-kind="all">{t('time.happened')}</Text>
          <Text size="xs" className={classes.legend} data-kind="bad">{t('time.troubles')}</Text>
        </Group>
        <Text size="xs">{nextEnd === null ? t('time.now') : units.moment(new Date(span.to))}</Text>
      </Group>
      <Group gap="sm" mt={6} justify="space-between">
        <Group gap="xs">
          <Group gap={4} wrap="nowrap" role="group" aria-label={t('time.steps')}>
            <Tooltip label={t('time.previous')}>
              <ActionIcon variant="default" size="md" aria-label={t('time.previous')} data-testid="timebar-previous" loading={isStepping && stepped.isBack} onClick={() => void step(true)}><StepBack size={16} /></ActionIcon>
            </Tooltip>
            {replay.isPlaying ? (
              <Tooltip label={t('time.pause')}>
                <ActionIcon variant="filled" size="md" aria-label={t('time.pause')} data-testid="timebar-pause" onClick={replay.pause}><Pause size={16} /></ActionIcon>
              </Tooltip>
            ) : (
              <Tooltip label={t(moment.isNow ? 'time.playAll' : 'time.play')}>
                <ActionIcon variant="default" size="md" aria-label={t(moment.isNow ? 'time.playAll' : 'time.play')} data-testid="timebar-play" onClick={play}><Play size={16} /></ActionIcon>
              </Tooltip>
            )}
            <Tooltip label={t('time.next')}>
              <ActionIcon variant="default" size="md" aria-label={t('time.next')} data-testid="timebar-next" disabled={moment.isNow} loading={isStepping && !stepped.isBack} onClick={() => void step(false)}><StepForward size={16} /></ActionIcon>
            </Tooltip>
          </Group>
          <SegmentedControl size="xs" aria-label={t('time.speed')} value={replay.speed} onChange={(speed) => replay.setSpeed(speed as Speed)} data={speeds.map((speed) => ({ value: speed, label: speed === 'events' ? t('time.byEvent') : `${speed}×` }))} />
          {replay.isWaiting && <Loader size="xs" aria-label={t('time.waiting')} />}
        </Group>
        <Group gap="xs">
          <SegmentedControl
            size="xs"
            aria-label={t('time.window')}
            value={lengthName}
            onChange={(name) => {
              setLength(name as LengthName)
              setEnd(null)
            }}
            data={Object.keys(lengths).map((name) => ({ value: name, label: t(`time.lengths.${name as LengthName}`) }))}
          />
          <MomentPicker size="xs" w={210} aria-label={t('time.exact')} placeholder={t('time.exact')} at={moment.at} min={begin ? Date.parse(begin) : undefined} max={now} onChoose={(to) => go(to?.getTime())} />
        </Group>
      </Group>
      {stepped?.found === false && <Text size="sm" mt={6} role="status">{t(stepped.isBack ? 'time.nothingBefore' : 'time.nothingAfter')}</Text>}
      {stepped?.error || replay.error ? <Failed error={stepped?.error ?? replay.error} /> : null}
    </div>
  )
}
